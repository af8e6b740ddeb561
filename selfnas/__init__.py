"""Architectures, spaces, networks, tasks, training, strategies; knows nothing of rules, audits or the agent."""
