"""Evaluation: how well classifiers find attackers, and how sure that is, with vehicles as the units."""
