"""Sampling: the process beside a run that looks at its threads. Standard library alone."""
