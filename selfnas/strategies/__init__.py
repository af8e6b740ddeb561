"""Search strategies: callables over the history of trials."""
