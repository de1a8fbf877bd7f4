"""Outputs: results of a run in a folder or an object store, there whole or not at all."""
