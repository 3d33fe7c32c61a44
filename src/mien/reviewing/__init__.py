"""mien review: a page on which a person decides, photo by photo, on what the audit found."""
