"""What measurements mean: classes, growth, regressions, and what to do."""
