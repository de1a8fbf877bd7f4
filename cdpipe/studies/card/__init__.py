"""Data cards: what a run's data set is, what it was made of, and how to make the same bits again."""
