"""Text cells: numbers, times, ids and words read from bytes, and texts numbered."""
