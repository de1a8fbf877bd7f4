"""Studies: many runs from one file, configurations of other programs, and data cards."""
