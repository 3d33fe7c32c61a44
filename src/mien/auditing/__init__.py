"""What a set of photos gives away before anything is trained on it; needs scikit-learn and what trains a probe."""
