"""New arrays: of the right size and type, in memory of their own, large ones where a page of 2 MiB begins."""

from itertools import pairwise

import numpy as np
import pytest

from cdpipe.kernels.buffers.allocation import allot, allot_columns

MIB = 1 << 20
DTYPES = [np.dtype(name) for name in ("int8", "bool", "float64", "int16", "M8[us]", "int32", "uint64", "float16")]


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", ["int8", "float64", "M8[us]"])
@pytest.mark.parametrize("size", [0, 1, 4 * MIB, 16 * MIB - 8, 16 * MIB, 21 * MIB])
def test_an_array_is_writable_and_a_large_one_begins_at_a_large_page(dtype, size):
    array = allot(size // np.dtype(dtype).itemsize, dtype)
    assert (array.dtype, array.shape) == (np.dtype(dtype), (size // np.dtype(dtype).itemsize,))
    assert array.flags.writeable
    assert array.flags.aligned
    assert array.flags.c_contiguous
    if size >= 16 * MIB:
        assert address(array) % (2 * MIB) == 0
    array.view(np.uint8)[:] = 1
    assert array.view(np.uint8).all()


@pytest.mark.parametrize("widest", [1, 4, 8])
@pytest.mark.parametrize("rows", [0, 1, 63, 100_000, 600_000, 5 * MIB])
def test_columns_never_overlap_and_no_more_than_8_mib_are_shared(rows, widest):
    dtypes = DTYPES * (1 if rows > MIB else 6)
    columns = allot_columns(rows, dtypes, widest=widest)
    assert [column.dtype for column in columns] == dtypes
    for column in columns:
        assert column.shape == (rows,)
        assert column.flags.writeable
        assert column.flags.aligned
        assert column.flags.c_contiguous
    held = {}
    for column in columns:
        memory = column if column.base is None else column.base
        held.setdefault(id(memory), [memory.nbytes]).append(column)
    for size, *those in held.values():
        if len(those) > 1:
            assert size <= 10 * MIB  # 8, and room to begin at a page
            assert all(each.itemsize <= widest and each.nbytes < 4 * MIB for each in those)
    spans = sorted((address(column), column.nbytes) for column in columns if column.nbytes)
    for (start, size), (after, _) in pairwise(spans):
        assert start + size <= after


def test_small_columns_share_memory_so_that_they_have_large_pages():
    columns = allot_columns(1_000_000, [np.dtype(np.int8)] * 8, widest=4)
    assert len({id(column.base) for column in columns}) == 1
    assert address(columns[0]) % (2 * MIB) == 0


def test_no_columns_are_no_arrays():
    assert allot_columns(10, [], widest=8) == []
