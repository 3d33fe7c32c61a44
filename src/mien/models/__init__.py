"""Networks and model files."""
