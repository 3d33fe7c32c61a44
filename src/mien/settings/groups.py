"""Groups of options, in the order in which help shows them."""

from __future__ import annotations

from cyclopts import Group

__all__ = ["ANSWERS", "BUDGET", "DATA", "OUTPUT", "RARE", "READING", "SERVICE", "TRAINING", "TRUST"]

DATA = Group("Data", sort_key=1)
ANSWERS = Group("Answers", sort_key=2)
TRAINING = Group("What to train", sort_key=3)
BUDGET = Group("Budget", sort_key=4)
TRUST = Group("Trust", sort_key=5)
SERVICE = Group("Service", sort_key=6)
OUTPUT = Group("Output", sort_key=7)
READING = Group("Tables and layouts, rarely needed", sort_key=8)
RARE = Group("Rarely needed", sort_key=9)
