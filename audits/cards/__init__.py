"""The audit card: text, page and pictures."""
