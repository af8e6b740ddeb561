"""What is learned from trials: features of cells, Gaussian processes, mixtures of past models, rankers."""
