"""Decide, certify, explain, re-check and prove."""
