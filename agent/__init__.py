"""The life of the agent: ledger, library, policy, gate, workers, tracking and the command line."""
