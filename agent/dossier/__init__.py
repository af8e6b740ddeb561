"""What a regulator may be handed about one network: every sentence derived from the ledger, or left to the provider."""
