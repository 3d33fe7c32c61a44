"""Sentences that follow from results by rule. None holds a number that was typed."""
