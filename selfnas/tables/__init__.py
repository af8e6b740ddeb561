"""Tabular benchmarks, read and looked up."""
