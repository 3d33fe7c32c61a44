"""``mien adapt``: what makes a recogniser better on photos from elsewhere, and what that costs where it came from."""
