"""Settings against each other: arms, pairs of runs on repeated grouped folds, verdicts, the page."""
