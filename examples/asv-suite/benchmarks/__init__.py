"""Benchmarks of a project that is not cdpipe."""
