"""Reports of a run: its own, its profile, its pictures."""
