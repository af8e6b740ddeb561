"""Audits of a network that was not trained here."""
