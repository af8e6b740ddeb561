"""Who computes: jobs, the pool of worker processes and the process itself."""
