"""From an architecture to a network, and what it costs by formula."""
