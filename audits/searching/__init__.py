"""Audits that search for what nobody named: each chooses on one half of the examples and tests on the other."""
