"""Cells, the spaces that they are drawn from, and architectures."""
