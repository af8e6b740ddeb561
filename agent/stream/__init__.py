"""What a person asks for: the stream file, the search policy, the objective, the fidelities."""
