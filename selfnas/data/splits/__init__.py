"""Which examples fall into which split, and which of them the source holds more than once."""
