"""Training: labelled messages to fitted classifiers and their metrics."""
