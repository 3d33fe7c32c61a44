"""Photos: sources, reading, audit, splits, pixels."""
