"""From the text of a rule to its typed tree."""
