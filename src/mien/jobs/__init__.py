"""One function for each command: it runs the stages, then tells."""
