"""What lets in: constraints before compute, audits after training, people after that."""
