"""What the `selfnas constraints` commands print."""
