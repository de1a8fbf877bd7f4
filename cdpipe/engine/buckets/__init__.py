"""Ordered messages on disk between two passes, by ranges of vehicles."""
