"""The version, where every module can read it without importing the package's public names."""

from __future__ import annotations

__all__ = ["NUMBERS", "__version__"]

__version__ = "0.1.0"
NUMBERS = 2
"""Raised whenever the same command starts to give other numbers within a version, as it does with other weights. Work
that was begun before is then not gone on with."""
