"""The manifest and the tables beside it: a person's corrections and class maps, and what is counted."""
