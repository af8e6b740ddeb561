"""Jobs done on other machines: what is sent to them, what comes back, whom to trust with it."""
