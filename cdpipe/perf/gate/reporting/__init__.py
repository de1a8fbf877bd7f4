"""Reports of a comparison: for a terminal, as a comment of a pull request, and as data."""
