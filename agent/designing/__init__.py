"""Specifications of a network that somebody needs, and whether there can be one, before anything is trained."""
