"""`selfnas bench`: strategies compared on tables of scores."""
