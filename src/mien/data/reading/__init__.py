"""Bytes → upright pictures and views: what a file is, the one preprocessing, and how many files are read at once."""
