"""A life in MLflow: runs, tags and artifacts written behind the life, and compared with the ledger."""
