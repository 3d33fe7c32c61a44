"""The report: stored results → one self-contained page."""
