"""Seeded synthetic messages of vehicles that move plausibly."""
