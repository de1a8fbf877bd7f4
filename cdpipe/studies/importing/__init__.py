"""Importing: JSON configurations of the pipeline people use today, as TOML for `cdpipe run`."""
