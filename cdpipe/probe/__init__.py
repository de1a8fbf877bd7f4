"""Probe: what a run uses and waits for, over every process that works for it."""
