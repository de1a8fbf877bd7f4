import numba
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vehicle_ids import vehicle_of

from cdpipe.kernels.buffers.selection import Kept, look_up
from cdpipe.stages.frames.conversion import label_values, text_values
from cdpipe.stages.frames.interop import (
    arrow_cells,
    keep,
    number_texts,
    spread,
    text_array,
    text_cells,
    view_labels,
    view_vehicles,
)

COMPILED = not numba.config.DISABLE_JIT
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
    "category in another order with others": lambda texts: pd.Series(
        pd.Categorical(texts, categories=["unused", *sorted({t for t in texts if t not in (None, "unused")}, key=hash)])
        if "unused" not in texts
        else pd.Categorical(texts)
    ),
    "sliced category": lambda texts: pd.Series(pd.Categorical(["x", *texts, "y", "z"])).iloc[1:-2],
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
def test_ids_hash_as_xxh64_of_their_one_form_whatever_the_column_is_made_of(form, texts):
    expected = [vehicle_of(text) for text in texts]
    vehicles = view_vehicles(FORMS[form](texts))
    assert vehicles.hashes.dtype == np.uint64
    assert vehicles.hashes[-1] == vehicle_of(None)
    assert look_up(vehicles.hashes, vehicles.codes).tolist() == expected
    present = vehicles.present()
    assert present.dtype == np.uint64
    assert present.tolist() == sorted(set(expected))


@pytest.mark.parametrize("form", FORMS)
@given(texts=TEXTS)
def test_labels_are_numbers_of_texts_whatever_the_column_is_made_of(form, texts):
    series = FORMS[form](texts)
    codes, known = view_labels(series)
    words = [*read(known), ""]
    assert codes.dtype.kind == "i"
    assert [words[code] for code in codes] == [text or "" for text in texts]
    if series.dtype != "category":
        assert words[:-1] == list(dict.fromkeys(text for text in texts if text))
        assert codes.dtype == np.int32


@given(texts=TEXTS)
def test_numbered_texts_are_made_labels_that_say_the_same(texts):
    codes, known = number_texts(text_cells(pd.Series(texts, dtype="str")))
    packed = "".join(read(known)).encode()
    offsets = np.cumsum([0, *(known.stops - known.starts)], dtype=np.int64)
    series = pd.Series(label_values(codes, text_array(np.frombuffer(packed, np.uint8), offsets)))
    assert series.dtype == "category"
    assert series.cat.categories.dtype == "str"
    assert not series.cat.ordered
    assert [None if pd.isna(each) else each for each in series] == [text or None for text in texts]
    public = pd.Series(pd.Categorical([text or None for text in texts], categories=read(known)))
    pd.testing.assert_series_equal(series, public.astype(pd.CategoricalDtype(pd.Index(read(known), dtype="str"))))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float64", "M8[us]"])
@given(codes=st.lists(st.integers(-1, 4), max_size=20))
def test_values_of_texts_are_spread_over_their_rows(dtype, codes):
    of_text = np.arange(5).astype(dtype)
    found = spread(np.array(codes, np.int8), of_text, of_null=of_text[3])
    assert found.dtype == dtype
    assert found.tolist() == [of_text[3 if code < 0 else code].item() for code in codes]


def columns_of_every_type(size):
    rng = np.random.default_rng(size)
    numbers, marks = rng.integers(0, 120, size), rng.random(size) < 0.3
    texts = pd.Series(np.where(marks, None, numbers.astype(str)), dtype="str")
    plain = [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex128",
    ]
    made = {name: pd.Series(numbers.astype(name)) for name in [*plain, "M8[us]", "M8[s]", "m8[ns]", "longdouble"]}
    made |= {
        name: pd.Series(np.where(marks, None, numbers), dtype=name) for name in ("Int64", "UInt64", "Int8", "Float64")
    }
    made |= {name: texts.astype(name) for name in ("str", "string", "category", "object")}
    made["boolean"] = pd.Series(np.where(marks, None, numbers > 60), dtype="boolean")
    made["zoned"] = made["M8[us]"].dt.tz_localize("America/Denver")
    made["arrow"] = texts.astype(pd.ArrowDtype(pa.string()))
    made["many labels"] = pd.Series(pd.Categorical(numbers.astype(str), categories=list(map(str, range(400)))))
    made["ordered numbers"] = pd.Series(pd.Categorical(numbers, categories=range(119, -1, -1), ordered=True))
    made["null alone"] = pd.Series(pd.Categorical([None] * size))
    made["strided"] = pd.Series(np.arange(3.0 * size).reshape(-1, 3)[:, 1])
    return made


@pytest.mark.parametrize("name", columns_of_every_type(0))
@pytest.mark.parametrize("size", [0, 1, 7, 8, 65, 300])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_a_column_of_any_type_keeps_the_rows_that_pandas_keeps(name, size, share):
    series = columns_of_every_type(size)[name]
    before = series.copy(deep=True)
    marks = np.random.default_rng(1).random(size) < share
    for given_ in (series, series.array):
        found = pd.DataFrame(keep({"kept": given_}, Kept(marks)), copy=False)["kept"].rename(None)
        assert found.dtype == series.dtype
        pd.testing.assert_series_equal(found, series[marks].reset_index(drop=True))
        if len(found) > 1:
            found.iloc[0] = found.iloc[-1]
    pd.testing.assert_series_equal(series, before)


@pytest.mark.parametrize("size", [0, 1, 65, 100_000 if COMPILED else 3_000])
@pytest.mark.parametrize("share", [0.05, 0.9])
def test_columns_of_all_types_are_kept_together_each_in_memory_of_its_own(size, share):
    columns = columns_of_every_type(size)
    marks = np.random.default_rng(2).random(size) < share
    found = keep(columns, Kept(marks))
    assert list(found) == list(columns)
    pd.testing.assert_frame_equal(pd.DataFrame(found, copy=False), pd.DataFrame(columns)[marks].reset_index(drop=True))
    arrays = [values for values in found.values() if isinstance(values, np.ndarray)]
    assert len(arrays) > 10
    for i, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[:i])


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
        view_labels(series)
    with pytest.raises(TypeError, match="must hold text"):
        view_vehicles(series)


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
    series = pd.Series(text_values(text_array(packed, offsets, np.array([text is None for text in texts], np.bool_))))
    assert series.dtype == "str"
    assert [None if pd.isna(each) else each for each in series] == texts
