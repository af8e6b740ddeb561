"""What the events amount to: the state of a life, folded from its ledger, and the library of motifs."""
