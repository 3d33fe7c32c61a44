"""Pages: self-contained HTML without scripts."""
