"""Architectures, spaces, networks, tasks, training and search strategies; knows nothing of rules, audits or the agent."""
