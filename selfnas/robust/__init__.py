"""What a network provably answers while its input moves, how networks are trained to it, and what attacks find."""
