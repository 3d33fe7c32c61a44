"""What belongs together: copies, series of one shoot, groups of a user's own; and divisions that keep them whole."""
