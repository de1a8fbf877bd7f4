"""Graphs: stages laid over partitions as Dask tasks."""
