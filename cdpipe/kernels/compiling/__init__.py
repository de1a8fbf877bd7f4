"""Compiling: Numba decorators that are safe to borrow from, and machine code kept on disk."""
