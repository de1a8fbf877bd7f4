"""The rooms that know dask: sessions, graphs, the cache and the probe."""
