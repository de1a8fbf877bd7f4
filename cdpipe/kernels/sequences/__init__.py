"""Kernels on messages that are in the order of their vehicles and times."""
