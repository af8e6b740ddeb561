"""Programs that order candidates: their language, what they compute, and how new ones are bred."""
