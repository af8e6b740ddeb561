"""Audits of what a network holds while its inputs move: proved, attacked, corrupted."""
