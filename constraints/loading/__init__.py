"""From a YAML file to a constraint set, and back to tidy text."""
