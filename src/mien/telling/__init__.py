"""Results in words, pages and terminals: from results and stored thumbnails alone, nothing is computed here."""
