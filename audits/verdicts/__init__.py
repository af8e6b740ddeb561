"""Suites of audits: run one on a network, judge its findings."""
