"""Measurement of both sides: environments, order of rounds, and what disturbed them."""
