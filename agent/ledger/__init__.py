"""What happened: the append-only, hash-chained store of events, their schema, the home, signatures, snapshots."""
