"""Analysis of measurements: classes, growth, regressions, and remedies."""
