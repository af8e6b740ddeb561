"""Comparisons of strategies on tables."""
