"""Answers that any tool gave to photos: read from a table, one for each photo, matched to the photos."""
