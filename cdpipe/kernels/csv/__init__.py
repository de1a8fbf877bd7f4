"""CSV text: windows of lines, bounds of cells, fields and whole records."""

from cdpipe.kernels.csv.bounds import find_cells

__all__ = ["find_cells"]
