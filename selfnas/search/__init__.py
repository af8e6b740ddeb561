"""What a search is made of: the history of trials, the domain to draw from, what a strategy is."""
