"""Draws: random numbers by key and counter, and what is chosen by them."""

from cdpipe.kernels.draws.keyed import bearings_and_distances

__all__ = ["bearings_and_distances"]
