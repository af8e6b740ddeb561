"""Designs as a service: specifications are handed in over HTTP, followed and fetched."""
