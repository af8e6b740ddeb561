"""The audits, and the registry that names them."""
