"""Frame columns as the arrays kernels take, and back, without copying where the memory allows it."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cdpipe.columns import canonical
from cdpipe.kernels.buffers.cells import view_bytes, view_int64
from cdpipe.kernels.buffers.selection import Kept, find_targets, look_up, mark_used, reorder, take
from cdpipe.kernels.draws.thresholds import distinct
from cdpipe.kernels.text.dictionary import number_cells
from cdpipe.kernels.text.hex_ids import spell_ids
from cdpipe.kernels.text.xxhash import hash_text
from cdpipe.stages.frames.assembly import make_frame
from cdpipe.stages.frames.pandas_compat import iterate_arrays, take_masked_apart

Scalar = TypeVar("Scalar", bound=np.generic)
Codes = NDArray[np.signedinteger[Any]]

_NULL_CELL: Final = np.empty(0, np.uint8)
_NO_ID: Final = 0xEF46DB3751D8E999
_WORD_BYTES: Final = 8


class Cells(NamedTuple):
    """A text column as bytes and bounds: cell i is `data[starts[i]:stops[i]]`, empty where null."""

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


def is_text(series: "pd.Series[Any]") -> bool:
    """Say whether a column holds text, as such or as labels."""
    dtype = series.dtype
    return pd.api.types.is_string_dtype(dtype.categories if isinstance(dtype, pd.CategoricalDtype) else dtype)


def text_cells(series: "pd.Series[Any]") -> Cells:
    """View a text column as bytes and cell bounds.

    Parameters
    ----------
    series
        Text, shape (n,); `str`, object or categorical dtype. Nulls become empty cells.

    Returns
    -------
    Cells
        Views of the column's own memory where it is Arrow text in one piece, else of a converted copy.

    Raises
    ------
    TypeError
        If the column does not hold text: ids read as numbers have already lost their leading zeros.
    """
    if not is_text(series):
        raise TypeError(
            f"column {series.name!r} must hold text but is {series.dtype}: read it with cdpipe.read, or as str"
        )
    try:
        array = pa.array(series, type=pa.large_string(), from_pandas=True)
    except pa.ArrowTypeError as error:
        raise TypeError(f"column {series.name!r} must hold text: {error}; write it again as text") from None
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return arrow_cells(array)


def arrow_cells(array: pa.Array) -> Cells:
    """View an Arrow `large_string` array, shape (n,), as bytes and cell bounds; nulls become empty cells."""
    _, offsets, data = array.buffers()
    if len(array) == 0 or data is None:
        zeros = np.zeros(len(array), np.int64)
        return Cells(_NULL_CELL, zeros, zeros)
    bounds = view_int64(offsets)[array.offset : array.offset + len(array) + 1]
    starts, stops = bounds[:-1], bounds[1:]
    if array.null_count:
        null = array.is_null().to_numpy(zero_copy_only=False)
        stops = np.where(null, starts, stops)
    return Cells(view_bytes(data), starts, stops)


def text_array(
    values: NDArray[np.uint8], offsets: NDArray[np.int64], null: NDArray[np.bool_] | None = None
) -> pa.LargeStringArray:
    """Make an Arrow array of packed UTF-8 bytes, shape (bytes,), their offsets, (n + 1,), and nulls, (n,)."""
    validity = pa.array(~null).buffers()[1] if null is not None and null.any() else None
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(values), validity)


def number_texts(cells: Cells) -> tuple[NDArray[np.int32], Cells]:
    """Return for each cell, shape (n,), the number of its text, -1 for an empty one, and the k texts."""
    codes, firsts = number_cells(*cells)
    return codes, Cells(cells.data, cells.starts[firsts], cells.stops[firsts])


def view_labels(series: "pd.Series[Any]") -> tuple[Codes, Cells]:
    """View a column of labels, shape (n,), as `number_texts` gives it; a `str` column is numbered first.

    Raises
    ------
    TypeError
        If the column does not hold text.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        texts = text_cells(pd.Series(series.cat.categories, name=series.name, copy=False))
        return np.asarray(series.array.codes), texts
    return number_texts(text_cells(series))


def spread(codes: Codes, of_text: NDArray[Any], *, of_null: Any) -> NDArray[Any]:  # noqa: ANN401 - a value of its dtype
    """Give each row, shape (n,), the value that its text has in `of_text`, shape (k,), or that of null."""
    return look_up(np.append(of_text, np.array([of_null], of_text.dtype)), codes)


class Vehicles(NamedTuple):
    """The vehicles of messages.

    Attributes
    ----------
    codes
        Shape (n,): index of each message's id in `hashes`, -1 where the id is null.
    hashes
        uint64, shape (k + 1,): XXH64 of each id's one form (`kernels.text.hex_ids.spell_ids`). It is one number a
        vehicle, whatever the partition and however the id is written. Last is that of a null id: the empty text's.
    """

    codes: Codes
    hashes: NDArray[np.uint64]

    def present(self) -> NDArray[np.uint64]:
        """Return the hashes of the vehicles that have a message, ascending; a null id counts as one vehicle."""
        used = np.append(mark_used(self.codes, self.hashes.size - 1), self.codes.size > 0 and self.codes.min() < 0)
        return distinct(self.hashes[used])


def view_vehicles(series: "pd.Series[Any]") -> Vehicles:
    """View a column of vehicle ids, shape (n,).

    Raises
    ------
    TypeError
        If the column does not hold text.
    """
    codes, texts = view_labels(series)
    return Vehicles(codes, hash_vehicles(texts))


def hash_vehicles(texts: Cells) -> NDArray[np.uint64]:
    """Return the hashes of ids, shape (k + 1,), as `Vehicles` has them."""
    return np.append(hash_text(*spell_ids(*texts)), np.uint64(_NO_ID))


def keep(columns: Mapping[str, Any], kept: Kept) -> dict[str, Any]:
    """Return columns, each a Series or an array of any kind, shape (n,), in the rows that stay: new ones, alike."""
    apart = {name: _take_apart(values) for name, values in columns.items()}
    found = iter(kept.of_all([array for part in apart.values() if part for array in part.arrays]))
    whole: dict[str, Any] = {}
    for name, part in apart.items():
        if part:
            whole[name] = part.join(*islice(found, len(part.arrays)))
        else:
            values = columns[name]
            array = values.array if isinstance(values, pd.Series) else values
            whole[name] = pd.Series(array.take(kept.places), dtype=values.dtype, copy=False)  # else text of objects
    return whole


def take_rows(frame: pd.DataFrame, places: NDArray[np.int64]) -> pd.DataFrame:
    """Return the rows at some indices, shape (k,), numbered from 0: a new frame whose columns have the same types."""
    return _move_rows(frame, places, partial(take, places=places))


def reorder_rows(frame: pd.DataFrame, places: NDArray[np.int64]) -> pd.DataFrame:
    """Return all rows in another order, numbered from 0; `places` has each of them once. Else as `take_rows`."""
    return _move_rows(frame, places, partial(reorder, targets=find_targets(places)))


def _move_rows(frame: pd.DataFrame, places: NDArray[np.int64], move: Callable[..., Any]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name, array in zip(map(str, frame.columns), iterate_arrays(frame), strict=True):
        part = _take_apart(array)
        columns[name] = part.join(*map(move, part.arrays)) if part else array.take(places)
    return make_frame(columns, places.size)


class _Parts(NamedTuple):
    """The arrays of words that a column is made of, and what makes one of them again."""

    arrays: tuple[NDArray[Any], ...]
    join: Callable[..., Any]


def _take_apart(values: Any) -> _Parts | None:  # noqa: ANN401 - a Series, or an array of any kind
    """Return the parts of a column; None where it is not of words."""
    array = values.array if isinstance(values, pd.Series) else values
    if isinstance(array, pd.Categorical):
        return _Parts((np.asarray(array.codes),), partial(pd.Categorical.from_codes, dtype=array.dtype, validate=False))
    if isinstance(array, pd.arrays.IntegerArray):
        return _Parts(take_masked_apart(array), pd.arrays.IntegerArray)
    if isinstance(values.dtype, np.dtype) and values.dtype != np.object_ and values.dtype.itemsize <= _WORD_BYTES:
        return _Parts((np.asarray(values),), np.asarray)
    return None


def borrow(rows: int, dtype: type[Scalar]) -> NDArray[Scalar]:
    """Return a new array, shape (rows,), with no value set, of memory that Arrow holds and uses again.

    A page of memory that is new to the process costs a fault when it is first written to: of a column of half a
    million rows as much as all else that is done to it.
    """
    memory = pa.allocate_buffer(rows * np.dtype(dtype).itemsize)
    return np.frombuffer(memory, dtype)


def null_mask(series: "pd.Series[Any]") -> NDArray[np.bool_]:
    """Say which values of a column, shape (n,), are null."""
    return series.isna().to_numpy(dtype=np.bool_)


def name_canonically(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame, or a view of it, with columns in the vocabulary's spelling and rows numbered from 0."""
    given = list(frame.columns)
    names = [canonical(name) if isinstance(name, str) else name for name in given]
    if names != given:
        frame = frame.set_axis(names, axis="columns")
    return number_plainly(frame)


def number_plainly(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame, or a view of it, with rows numbered from 0."""
    plain = isinstance(frame.index, pd.RangeIndex) and frame.index.start == 0 and frame.index.step == 1
    return frame if plain else frame.reset_index(drop=True)


def require_columns(frame: pd.DataFrame, names: Iterable[str], *, stage: str) -> None:
    """Check that a frame has each of the columns that a stage reads once.

    Raises
    ------
    KeyError
        Naming the stage, the missing columns and those there are.
    ValueError
        Naming the stage and the columns that there are twice.
    """
    names = tuple(names)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise KeyError(f"{stage} needs {', '.join(missing)}; the frame has {', '.join(map(str, frame.columns))}")
    if not frame.columns.is_unique:
        have = list(frame.columns)
        twice = [name for name in dict.fromkeys(names) if have.count(name) > 1]
        if twice:
            raise ValueError(
                f"{stage} reads {', '.join(twice)}, which the frame has more than once; remove or rename one"
            )
