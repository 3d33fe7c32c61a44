"""What is measured of a photo: light, size, faces, whether it is drawn, and its fingerprint."""
