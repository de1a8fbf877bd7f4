import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.stages.arrays import arrow_cells, hash_ids, masked_integers, text_cells, text_series

TEXTS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=12)


def read(cells):
    """The cells as Python texts; empty for null, as kernels see it."""
    return [bytes(cells.data[a:b]).decode() for a, b in zip(cells.starts, cells.stops, strict=True)]


def chunked(texts, type_):
    """A column in two pieces, the second of them a slice of a longer one."""
    half = len(texts) // 2
    pieces = [pa.array(texts[:half], type_), pa.array(["before", *texts[half:], "behind"], type_)[1:-1]]
    return pd.Series(pd.array(pa.chunked_array(pieces, type_), dtype=pd.ArrowDtype(type_)))


FORMS = {
    "str": lambda texts: pd.Series(texts, dtype="str"),
    "object": lambda texts: pd.Series(texts, dtype=object),
    "string": lambda texts: pd.Series(texts, dtype="string"),
    "category": lambda texts: pd.Series(pd.Categorical(texts, categories=sorted({t for t in texts if t is not None}))),
    "arrow string": lambda texts: chunked(texts, pa.string()),
    "arrow large_string": lambda texts: chunked(texts, pa.large_string()),
    "sliced": lambda texts: pd.Series(["x", None, *texts, "y"], dtype="str").iloc[2:-1],
    "every second": lambda texts: pd.Series([each for t in texts for each in (t, "no")], dtype="str").iloc[::2],
    "read-only object": lambda texts: pd.Series(np.array([*texts, None], dtype=object)[:-1]),
}


@pytest.mark.parametrize("form", FORMS)
@given(texts=TEXTS)
def test_cells_hold_the_texts_whatever_the_column_is_made_of(form, texts):
    cells = text_cells(FORMS[form](texts))
    assert read(cells) == [text or "" for text in texts]
    assert cells.data.dtype == np.uint8
    assert cells.starts.dtype == cells.stops.dtype == np.int64


@pytest.mark.parametrize("form", FORMS)
@given(texts=TEXTS)
def test_ids_hash_as_xxh64_of_their_text_whatever_the_column_is_made_of(form, texts):
    expected = [xxhash.xxh64_intdigest((text or "").encode()) for text in texts]
    assert hash_ids(FORMS[form](texts)).tolist() == expected


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1, 2], name="coreData_id"),
        pd.Series([1.0, None], name="coreData_id"),
        pd.Series([1, "a"], dtype=object, name="coreData_id"),
        pd.Series([1, 2], name="coreData_id").astype("category"),
        pd.Series([True], name="coreData_id"),
        pd.to_datetime(pd.Series(["2020-01-01"], name="coreData_id")),
    ],
    ids=["int", "float", "object", "category of int", "bool", "time"],
)
def test_what_is_no_text_is_refused_by_the_column_s_name(series):
    with pytest.raises(TypeError, match="column 'coreData_id' must hold text"):
        text_cells(series)
    with pytest.raises(TypeError, match="must hold text"):
        hash_ids(series)


def test_arrow_text_in_one_piece_is_not_copied():
    array = pa.array(["abc", None, "de", ""] * 1000, pa.large_string())[3:]
    cells = arrow_cells(array)
    assert cells.data.ctypes.data == array.buffers()[2].address
    assert read(cells) == [text or "" for text in array.to_pylist()]


def test_an_arrow_array_of_nulls_alone_has_as_many_empty_cells():
    assert read(arrow_cells(pa.array([None] * 3, pa.large_string()))) == ["", "", ""]


@given(texts=TEXTS)
def test_packed_text_becomes_a_str_column(texts):
    offsets = np.cumsum([0, *(len((text or "").encode()) for text in texts)], dtype=np.int64)
    packed = np.frombuffer("".join(text or "" for text in texts).encode(), np.uint8)
    series = text_series(packed, offsets, np.array([text is None for text in texts], np.bool_))
    assert series.dtype == "str"
    assert [None if pd.isna(each) else each for each in series] == texts


def test_masked_integers_are_nullable_and_exact():
    series = masked_integers(np.array([2**63 - 1, 5, -(2**63)]), np.array([False, True, False]))
    assert series.dtype == "Int64"
    assert series.tolist() == [2**63 - 1, pd.NA, -(2**63)]
