"""Predictions, scores, comparisons, mistakes."""
