"""History of messages, order included, on one thread: ours beside polars' windows and pandas."""
