"""Objects of JSON lines: where the second and later ones of a line begin.

A string of JSON holds no line end, so that each line can be looked at by itself. Nearly every line holds one object:
only one with an object right behind another is looked at byte by byte.
"""

from typing import Final

import numpy as np

from cdpipe.kernels.buffers.cells import Bytes, Int, Integers, Memory, view_bytes
from cdpipe.kernels.buffers.simd import WIDTH, lowest_bit, match_bytes
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined

_TAB: Final = 9
_NEWLINE: Final = 10
_RETURN: Final = 13
_BLANK: Final = 32
_QUOTE: Final = 34
_COMMA: Final = 44
_BACKSLASH: Final = 92
_OPEN: Final = 123
_CLOSE: Final = 125

_U0: Final = np.uint64(0)
_U1: Final = np.uint64(1)


@jit_inlined
def _match_closes(data: Bytes, at: Int) -> np.uint64:
    """Return which of the 64 bytes from `at` on, as far as there are any, close an object."""
    if at + WIDTH <= data.size:
        return match_bytes(data, at, _CLOSE)
    found = _U0
    for i in range(data.size - at):
        if data[at + i] == _CLOSE:
            found |= _U1 << np.uint64(i)
    return found


@jit_inlined
def _skip_blanks(data: Bytes, at: Int, has_commas: bool) -> Int:
    while at < data.size:
        byte = data[at]
        is_blank = byte == _BLANK or byte == _TAB or byte == _RETURN  # noqa: PLR1714 - Numba makes no set of numbers
        if not is_blank and not (has_commas and byte == _COMMA):
            break
        at += 1
    return at


@jit_borrowing
def _find_on_line(data: Bytes, at: Int, found: Integers, count: Int) -> tuple[Int, Int]:
    """Note the later objects of a line that begins at `at`: (its end, how many are noted by then)."""
    depth, objects, is_text = 0, 0, False
    while at < data.size and data[at] != _NEWLINE:
        byte = data[at]
        if is_text:
            if byte == _BACKSLASH and at + 1 < data.size and data[at + 1] != _NEWLINE:
                at += 1
            is_text = byte != _QUOTE
        elif byte == _QUOTE:
            is_text = True
        elif byte == _CLOSE:
            depth = max(0, depth - 1)
        elif byte == _OPEN:
            if depth == 0:
                objects += 1
                if objects > 1:
                    if count < found.size:
                        found[count] = at
                    count += 1
            depth += 1
        at += 1
    return at, count


@jit_borrowing
def _find(data: Bytes, has_commas: bool, found: Integers) -> Int:
    """Note where later objects begin, as many as there is room for; return how many there are."""
    count: Int = np.int64(0)
    done: Int = np.int64(0)
    for at in range(0, data.size, WIDTH):
        closes = _match_closes(data, at)
        while closes != _U0:
            after = _skip_blanks(data, at + lowest_bit(closes) + 1, has_commas)
            closes &= closes - _U1
            if after < data.size and data[after] == _OPEN and after >= done:
                begin = after
                while begin > 0 and data[begin - 1] != _NEWLINE:
                    begin -= 1
                done, count = _find_on_line(data, begin, found, count)
    return count


def find_later_objects(data: Memory, *, has_commas: bool) -> Integers:
    """Find the objects that begin on a line on which another one ended or began before, outside any other.

    Parameters
    ----------
    data
        Whole lines of JSON, uint8[n] or any bytes-like.
    has_commas
        Whether commas may part the objects of a line, as those of an array. Without, what stands behind a comma is
        found only on lines that also have an object right behind another.

    Returns
    -------
    int64[k]
        Where they begin, ascending.
    """
    block = view_bytes(data)
    count = _find(block, has_commas, np.empty(0, np.int64))
    found = np.empty(count, np.int64)
    if count:
        _find(block, has_commas, found)
    return found
