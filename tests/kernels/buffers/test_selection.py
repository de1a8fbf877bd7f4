"""Rows of columns against NumPy's own indexing, by mask and by place."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from texts import load_plain

from cdpipe.kernels.buffers import selection as rows
from cdpipe.kernels.buffers.selection import Kept, take

PLAIN = load_plain("buffers.selection")
COMPILED = not numba.config.DISABLE_JIT
BOTH = pytest.mark.parametrize("module", [rows, PLAIN], ids=["compiled", "plain"])
DTYPES = ["bool", "int8", "uint8", "int16", "float16", "int32", "uint32", "float32", "int64", "uint64", "float64"]
DTYPES += ["M8[us]", "M8[s]", "m8[ns]"]
MARKS = hnp.arrays(np.bool_, st.integers(0, 70)) | st.builds(
    lambda size, place: np.arange(size) == place, st.integers(0, 300), st.integers(0, 300)
)


def values_of(dtype, size, seed=0):
    """Any bits that the type can have: NaN of all sorts, NaT, both zeros."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype == np.bool_:
        return rng.integers(0, 2, size).astype(np.bool_)
    made = rng.integers(0, 256, size * dtype.itemsize, dtype=np.uint8).view(dtype)
    made[: min(size, 3)] = (
        np.zeros(min(size, 3), np.int64).view("M8[us]" if dtype.kind == "M" else np.int64).astype(dtype)
    )
    return made


def same(found, expected):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == np.ascontiguousarray(expected).tobytes()


@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=20)
@given(marks=MARKS)
def test_a_mask_keeps_what_numpy_s_index_gives(module, dtype, marks):
    values = values_of(dtype, marks.size)
    kept = module.Kept(marks)
    same(kept.of(values), values[marks])
    same(kept.places, np.flatnonzero(marks))
    assert type(kept.count) is int
    assert kept.count == np.count_nonzero(marks)
    assert kept.every == marks.all()


@BOTH
@pytest.mark.parametrize("size", [*range(18), 255, 256, 257, 300, 1_000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.12, 0.13, 0.5, 0.99, 1.0])
def test_every_size_and_density(module, size, share):
    marks = np.random.default_rng(size).random(size) < share
    kept = module.Kept(marks)
    values = np.arange(size, dtype=np.int64)
    assert kept.count == marks.sum()
    same(kept.of(values), values[marks])
    same(kept.places, values[marks])
    assert kept.every == (kept.count == size)


def test_many_rows():
    size = 100_003 if COMPILED else 1_003
    for share in (0.001, 0.124, 0.126, 0.6, 0.999):
        marks = np.random.default_rng(1).random(size) < share
        values = values_of("float64", size)
        same(Kept(marks).of(values), values[marks])
        same(Kept(marks).places, np.flatnonzero(marks))


@BOTH
def test_marks_and_values_of_any_layout(module):
    wide = np.random.default_rng(2).random((100, 3)) < 0.4
    values = np.arange(300.0).reshape(100, 3)
    values.flags.writeable = wide.flags.writeable = False
    for marks in (wide[:, 1], wide[::-1, 2], np.asfortranarray(wide)[:, 0], wide.ravel()[1:101], wide.ravel()[3:96]):
        for column in (values[:, 2], values[::-1, 0], values.ravel()[5 : 5 + 100]):
            some = column[: marks.size]
            same(module.Kept(marks).of(some), some[marks])
            same(module.Kept(marks).places, np.flatnonzero(marks))


@BOTH
@pytest.mark.parametrize("marks", [np.ones(20, np.bool_), np.arange(20) == 3, np.zeros(20, np.bool_)])
def test_what_is_kept_is_a_new_array(module, marks):
    values = np.arange(20)
    found = module.Kept(marks).of(values)
    assert found.flags.writeable
    found[:] = -1
    assert values.tolist() == list(range(20))


def test_a_misaligned_column_is_kept_all_the_same():
    raw = np.zeros(8 * 11 + 1, np.uint8)
    column = raw[1:].view(np.float64)
    column[:] = np.arange(11)
    marks = np.arange(11) % 2 == 0
    assert not column.flags.aligned
    same(Kept(marks).of(column), column[marks].copy())
    same(take(column, np.array([3, 1])), np.array([3.0, 1.0]))


@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=20)
@given(places=st.lists(st.integers(0, 12), max_size=40))
def test_take_and_put_are_numpy_s_fancy_index(module, dtype, places):
    values, where = values_of(dtype, 13), np.array(places, np.int64)
    taken = module.take(values, where)
    same(taken, values[where])
    new = values_of(dtype, where.size, seed=1)
    into, expected = values.copy(), values.copy()
    module.put(new, where, into)
    for place, value in zip(places, new, strict=True):  # of a place met twice, the last stays
        expected[place] = value
    assert into.tobytes() == expected.tobytes()


@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=20)
@given(order=st.permutations(range(13)), rows=st.integers(0, 13))
def test_reordering_by_targets_is_taking_by_the_order(module, dtype, order, rows):
    places = np.array([place for place in order if place < rows], np.int64)
    values = values_of(dtype, rows)
    same(module.reorder(values, module.find_targets(places)), values[places])


@BOTH
def test_take_and_put_of_any_layout(module):
    wide = np.arange(30.0).reshape(10, 3)
    wide.flags.writeable = False
    where = np.array([[9, 0], [1, 0], [1, 0], [4, 0]])[:, 0]
    same(module.take(wide[:, 1], where), wide[where, 1])
    into, expected = np.zeros((10, 3)), np.zeros((10, 3))
    module.put(wide[:4, 2], where, into[:, 1])
    expected[where, 1] = wide[:4, 2]
    same(into, expected)
    same(module.take(np.empty(0), np.empty(0, np.int64)), np.empty(0))


@BOTH
def test_values_of_another_type_are_not_put(module):
    for other in (np.zeros(1, np.int64), np.zeros(1, np.float32), np.zeros(1, "M8[us]")):
        with pytest.raises(TypeError, match=r"cannot be put among float64; convert it with \.astype"):
            module.put(other, np.zeros(1, np.int64), np.zeros(3))


@BOTH
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("code", ["int8", "int16", "int32", "int64"])
@settings(max_examples=20)
@given(codes=st.lists(st.integers(-3, 6), max_size=40))
def test_look_up_gives_each_code_its_value_and_the_last_to_a_negative_one(module, dtype, code, codes):
    table = values_of(dtype, 8)
    where = np.array(codes, code)
    same(module.look_up(table, where), table[[each if each >= 0 else 7 for each in codes]])


@BOTH
def test_look_up_in_a_table_of_null_alone_and_of_many(module):
    same(module.look_up(np.array([5.0]), np.array([-1, -1], np.int8)), np.array([5.0, 5.0]))
    same(module.look_up(np.array([5.0]), np.empty(0, np.int8)), np.empty(0))
    table = np.arange(40_001, dtype=np.uint64)
    codes = np.array([32_767, 39_999, -1, 0], np.int32)
    codes.flags.writeable = table.flags.writeable = False
    same(module.look_up(table, codes), np.array([32_767, 39_999, 40_000, 0], np.uint64))
    same(module.look_up(table[::-1], codes[::-2]), np.array([40_000, 1], np.uint64))


@BOTH
@pytest.mark.parametrize("code", ["int8", "int16", "int32", "int64"])
@settings(max_examples=20)
@given(codes=st.lists(st.integers(-2, 9), max_size=30))
def test_used_codes_are_those_that_occur(module, code, codes):
    found = module.mark_used(np.array(codes, code), 10)
    assert found.dtype == np.bool_
    assert np.flatnonzero(found).tolist() == sorted({each for each in codes if each >= 0})


@BOTH
def test_no_codes_use_none(module):
    assert module.mark_used(np.empty(0, np.int8), 0).size == 0
    assert module.mark_used(np.array([-1, -1], np.int8), 0).size == 0
    assert module.mark_used(np.empty(0, np.int32), 3).tolist() == [False] * 3


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_one_machine_function_serves_every_type_of_a_width():
    """Layout and signs must not make more: each is compiled in every process that meets it first."""
    marks = np.arange(64) % 2 == 0
    for dtype in DTYPES:
        Kept(marks).of(values_of(dtype, 64))
        take(values_of(dtype, 64)[::2], np.arange(3))
    assert len(rows._keep_words.signatures) == len(rows._take_words.signatures) == len(rows._WORDS)
