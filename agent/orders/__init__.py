"""Designs that were ordered: accepted whole, kept in a queue, answered by worker processes."""
