"""Texts that recur, numbered: each cell becomes the number of its text among those met so far.

Open addressing with linear probing, on 64 bits of a cell: those of an 8-byte id as they are, mixed; those of any other
text, folded. Equal bits are followed by a comparison of the bytes, so two texts never share a number.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.allocation import allot
from cdpipe.kernels.buffers.cells import Bytes, Int, Integers, Memory, load_word, strip, view_cells
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.text.eight_bytes import WORD, is_same, load_three
from cdpipe.kernels.text.numbers import is_null_word

Words = NDArray[np.uint64]
Codes = NDArray[np.int32]

NULL_CODE: Final = -1
"""Number of a null cell."""

_FIRST_SLOTS: Final = 1 << 12
_FREE: Final = -1
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: Knuth, TAOCP 3, 6.4
_SECOND: Final = np.uint64(0xC2B2AE3D27D4EB4F)  # any large odd numbers do
_THIRD: Final = np.uint64(0x165667B19E3779F9)
_HALF: Final = np.uint64(32)


@jit_inlined
def _digest(data: Bytes, start: Int, stop: Int) -> np.uint64:
    """Bits of a cell, to look it up by; of 8-byte cells no two different ones share them."""
    if stop - start == WORD:
        word = load_word(data, start)
    else:
        word, second, third = load_three(data, start, stop - start)
        word += second * _SECOND + third * _THIRD
        for at in range(start + 2 * WORD, stop - WORD, WORD):
            word = (word ^ (word >> _HALF)) * _MIX + load_word(data, at)
    word *= _MIX
    return word ^ (word >> _HALF)


@jit_borrowing
def _number_cells(
    data: Bytes,
    starts: Integers,
    stops: Integers,
    begin: np.int64,
    known: np.int64,
    slots: Codes,
    digests: Words,
    firsts: NDArray[np.int64],
    eights: NDArray[np.bool_],
    codes: Codes,
) -> tuple[np.int64, np.int64]:
    """Go on from cell `begin` until there are more texts than room; return (where it stopped, texts known)."""
    mask = np.uint64(slots.size - 1)
    for i in range(begin, starts.size):
        start, stop = starts[i], stops[i]
        if stop <= start:
            codes[i] = NULL_CODE
            continue
        length = stop - start
        digest = _digest(data, start, stop)
        slot = digest & mask
        code = slots[slot]
        while code != _FREE:
            if digests[code] == digest and eights[code] == (length == WORD):
                first = firsts[code]
                if length == WORD or (
                    stops[first] - starts[first] == length and is_same(data, starts[first], start, length)
                ):
                    break
            slot = (slot + np.uint64(1)) & mask
            code = slots[slot]
        if code == _FREE:
            if known == firsts.size:
                return np.int64(i), known
            code = np.int32(known)
            slots[slot], digests[code], firsts[code], eights[code] = code, digest, i, length == WORD
            known += np.int64(1)
        codes[i] = code
    return np.int64(starts.size), known


@jit_borrowing
def _place(digests: Words, slots: Codes) -> None:
    mask = np.uint64(slots.size - 1)
    for code in range(digests.size):
        slot = digests[code] & mask
        while slots[slot] != _FREE:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = np.int32(code)


@jit_borrowing
def _mark_nulls(data: Bytes, starts: Integers, stops: Integers, out: NDArray[np.bool_]) -> Int:
    found = 0
    for i in range(starts.size):
        start, stop = strip(data, starts[i], stops[i])
        out[i] = start >= stop or is_null_word(data, start, stop)
        found += out[i]
    return found


def mark_nulls(data: Memory, starts: Memory, stops: Memory) -> tuple[NDArray[np.bool_], int]:
    """Mark the labels that say "no value": nothing but white space, or a null word with white space around it.

    Parameters
    ----------
    data, starts, stops
        The cells, see `cdpipe.kernels.buffers.cells.view_cells`.

    Returns
    -------
    marks : bool[n]
        White space is as for `buffers.cells.strip`; the words are `text.numbers.NULL_WORDS`.
    found : int
        How many are marked.

    Raises
    ------
    TypeError, ValueError
        If the arrays are no cells, see `view_cells`.
    """
    text, begins, ends = view_cells(data, starts, stops)
    marks = np.empty(begins.size, np.bool_)
    return marks, int(_mark_nulls(text, begins, ends, marks))


def number_cells(data: Memory, starts: Memory, stops: Memory) -> tuple[Codes, NDArray[np.int64]]:
    """Give each cell the number of its text; texts are numbered in the order in which they first occur.

    Parameters
    ----------
    data, starts, stops
        The cells, see `cdpipe.kernels.buffers.cells.view_cells`; an empty one is null.

    Returns
    -------
    codes : int32[n]
        The number of each cell's text, from 0; `NULL_CODE` where null.
    firsts : int64[k]
        For each of the k texts, the first cell that has it.

    Raises
    ------
    TypeError, ValueError
        If the arrays are no cells, see `view_cells`.
    """
    text, begins, ends = view_cells(data, starts, stops)
    codes = allot(begins.size, np.int32)
    room = _FIRST_SLOTS // 2
    digests, firsts, eights = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.bool_)
    slots = np.full(2 * room, _FREE, np.int32)
    done, known = np.int64(0), np.int64(0)
    with np.errstate(over="ignore"):  # only without the compiler: the arithmetic is modulo 2**64 by definition
        while True:
            done, known = _number_cells(text, begins, ends, done, known, slots, digests, firsts, eights, codes)
            if done == begins.size:
                return codes, firsts[:known].copy()
            room *= 4
            digests, firsts, eights = np.resize(digests, room), np.resize(firsts, room), np.resize(eights, room)
            slots = np.full(2 * room, _FREE, np.int32)
            _place(digests[:known], slots)
