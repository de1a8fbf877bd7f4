"""Ours beside polars, DuckDB and pandas, on the same rows, in one run: `make peers`, docs/peers.md.

asv imports every module below `benchmarks`, so at their top these import nothing that it does not have anyway.
"""
