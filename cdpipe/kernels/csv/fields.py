"""Fields: one column of a window of comma-separated text (`windows`), read into its part of the whole column.

Cell `window.lines[0, i] + field` is that of the window's i-th record; `at` is where the window begins.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.cells import MALFORMED, OK, UNDECIDED, Bytes, Int, Integers
from cdpipe.kernels.compiling.jit import jit_inlined
from cdpipe.kernels.csv.windows import BACKSLASH, LINE_BACKSLASHED, QUOTE, Window
from cdpipe.kernels.text.eight_bytes import is_same
from cdpipe.kernels.text.numbers import scan_float, scan_integer
from cdpipe.kernels.text.packing import copy_cell
from cdpipe.kernels.text.timestamps import NAIVE, UTC, scan_usual_timestamp

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
FloatRange = tuple[float, float]
IntegerRange = tuple[np.int64, np.int64]


NO_TIME: Final = np.iinfo(np.int64).min
"""What stands for a null time: NumPy's NaT."""


@jit_inlined
def read_floats(
    data: Bytes, at: Int, field: Int, window: Window, nulls: Floats, limits: FloatRange, values: Floats
) -> tuple[bool, Int]:
    """Read a float column of a window, to nan where null or not between the limits.

    Returns whether any cell has to be read the long way, and how many numbers are not between the limits.
    """
    fault = False
    for i in range(values.size):
        cell = window.lines[0, i] + field
        values[i], status = scan_float(data, at + window.begins[cell], at + window.stops[cell])
        fault |= status in (MALFORMED, UNDECIDED)
    for j in range(nulls.size):
        for i in range(values.size):
            values[i] = np.nan if values[i] == nulls[j] else values[i]
    lower, upper = limits
    impossible = np.int64(0)
    for i in range(values.size):
        beyond = (values[i] <= lower) | (values[i] >= upper)
        values[i] = np.nan if beyond else values[i]
        impossible += beyond
    return fault, impossible


@jit_inlined
def read_integers(
    data: Bytes,
    at: Int,
    field: Int,
    window: Window,
    nulls: Integers,
    span: IntegerRange,
    columns: tuple[Integers, Flags],
) -> tuple[bool, Int]:
    """Read an integer column of a window into (values, nulls), null outside the span, whose ends are in it.

    What it returns is as of `read_floats`.
    """
    values, null = columns
    fault = False
    for i in range(values.size):
        cell = window.lines[0, i] + field
        values[i], status = scan_integer(data, at + window.begins[cell], at + window.stops[cell])
        null[i] = status != OK
        fault |= status == MALFORMED
    for j in range(nulls.size):
        for i in range(values.size):
            null[i] |= values[i] == nulls[j]
    least, greatest = span
    impossible = np.int64(0)
    for i in range(values.size):
        beyond = ((values[i] < least) | (values[i] > greatest)) & ~null[i]
        null[i] |= beyond
        impossible += beyond
    return fault, impossible


@jit_inlined
def read_times(data: Bytes, at: Int, field: Int, window: Window, naive_is_utc: bool, values: Integers) -> bool:
    """Read a time column of a window; return True if any cell is of no usual form, or local time.

    Messages come about in the order of their times, many in a second: a text that is the last one's is not read again.
    """
    fault = False
    last, last_length = np.int64(0), np.int64(0)
    for i in range(values.size):
        cell = window.lines[0, i] + field
        start, stop = at + window.begins[cell], at + window.stops[cell]
        if stop - start == last_length and last_length > 0 and is_same(data, start, last, last_length):
            values[i] = values[i - 1]
            continue
        value, status, zone = scan_usual_timestamp(data, start, stop)
        values[i] = value if status == OK else NO_TIME
        fault |= status == MALFORMED or not (zone == UTC or (naive_is_utc and zone == NAIVE))
        last, last_length = start, stop - start
    return fault


@jit_inlined
def read_texts(
    data: Bytes, at: Int, field: Int, window: Window, quotes: bool, packed: NDArray[np.uint8], offsets: Integers
) -> bool:
    """Copy the cells of a text column of a window behind those before; say whether any holds escaped characters.

    Cell i goes to `packed[offsets[i]:offsets[i + 1]]`; where the first goes is given.
    """
    fault = False
    to = offsets[0]
    for i in range(offsets.size - 1):
        cell = window.lines[0, i] + field
        start, stop = at + window.begins[cell], at + window.stops[cell]
        if quotes and start > 0 and data[start - 1] == QUOTE:  # quoted, so that it may hold escapes
            escape = BACKSLASH if window.lines[4, i] == LINE_BACKSLASHED else QUOTE
            for j in range(start, stop):
                fault |= data[j] == escape
        to = copy_cell(data, start, stop, packed, to)
        offsets[i + 1] = to
    return fault
