"""Quantities and figures as people read them."""
