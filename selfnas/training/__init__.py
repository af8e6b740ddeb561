"""Training, low fidelities, proxies and supernets."""
