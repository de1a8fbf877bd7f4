"""Columns as Arrow holds them, a Parquet file's -> typed values, where it can be without a detour through pandas."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cdpipe.columns import VEHICLE_ID, Column
from cdpipe.kernels.text.packing import is_plain
from cdpipe.stages.frames.conversion import (
    Typed,
    make_nulls,
    text_values,
    type_cells,
    type_epochs,
    type_floats,
    type_integers,
    type_labels,
    type_numbers,
    type_times,
)
from cdpipe.stages.frames.interop import arrow_cells, borrow, spread, text_array
from cdpipe.stages.frames.refusals import refuse
from cdpipe.stages.frames.time_cells import NAT, Times, count_times, read_times

_NULLABLE: Final = {
    getattr(pa, name.lower())(): pd.api.types.pandas_dtype(name)
    for name in (f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
}
_NARROW: Final = (pa.float16(), pa.float32())
_NUMBERED: Final = ("label", "time")
_WRITTEN_BYTES: Final = 1 << 24
"""Texts of a dictionary that are written out at a time."""

_OF_NUMBERS: Final = ("float", "integer", "time")
_DIGITS: Final = np.frombuffer(b"0123456789ABCDEF", np.uint8)


def type_arrow(column: Column, values: pa.ChunkedArray) -> Typed:
    """Bring a column of a Parquet file, shape (n,), to the vocabulary's type: what `type_series` does to pandas'.

    Of a dictionary each text is read once. Bytes are text, but an id of a fixed number of bytes is their hexadecimal
    digits. Decimal numbers are read as their text is, and so are times that are numbers with a fraction.

    Raises
    ------
    TypeError
        As of `type_series`.
    """
    slices = [values] if column.kind in _NUMBERED else _slice_texts(values)
    return (
        _type_slice(column, values) if len(slices) == 1 else _join_typed([type_arrow(column, each) for each in slices])
    )


def _type_slice(column: Column, values: pa.ChunkedArray) -> Typed:
    held = values.type
    values = _unpack(values, has_numbered_texts=column.kind in _NUMBERED)
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _of_dictionary(column, values)
    if is_text(kind) or pa.types.is_large_binary(kind):
        return _of_texts(column, values)
    if pa.types.is_fixed_size_binary(kind) and column.name == VEHICLE_ID:
        return type_cells(column, arrow_cells(_spell_bytes(_join(values))))
    if column.kind == "time" and pa.types.is_timestamp(kind):
        return _of_timestamps(column, values)
    sort = "coarse" if column.kind == "time" and kind in _NARROW else _sort(kind)
    if column.kind in _OF_NUMBERS and sort == "number":
        return _of_numbers(column, values)
    if pc.is_null(values, nan_is_null=True).to_numpy().all():
        return make_nulls(column, len(values))
    raise refuse(column, str(held), sort)


def _slice_texts(values: pa.ChunkedArray) -> list[pa.ChunkedArray]:
    """Cut a column of a dictionary's texts after each `_WRITTEN_BYTES` written out; any other is one slice."""
    kind = values.type
    if not pa.types.is_dictionary(kind) or _layout(kind.value_type) is None:
        return [values]
    slices = []
    for chunk in values.chunks:
        lengths = pc.binary_length(chunk.dictionary.cast(_layout(kind.value_type))).take(chunk.indices).fill_null(0)
        ends = np.cumsum(lengths.to_numpy(zero_copy_only=False), dtype=np.int64)
        starts = np.flatnonzero(np.diff(ends // _WRITTEN_BYTES, prepend=0)).tolist()
        for start, stop in pairwise(dict.fromkeys((0, *starts, len(chunk)))):
            slices.append(pa.chunked_array([chunk.slice(start, stop - start)]))
    return slices if len(slices) > values.num_chunks else [values]


def _join_typed(parts: Sequence[Typed]) -> Typed:
    """Put the slices of a column together."""
    notes: Counter[str] = Counter()
    for part in parts:
        notes.update(part.notes)
    problem = next((part.problem for part in parts if part.problem), "")
    data = pd.concat([part.series for part in parts], ignore_index=True)
    return Typed(data, np.concatenate([part.bad for part in parts]), problem, dict(notes))


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Turn a table into the frame that shows its values.

    Neither an index that pandas noted in the file nor a null among integers changes what a column is. Bytes are text;
    those that are not UTF-8 are spelled out.
    """
    for index, field in enumerate(table.schema):
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type) or _is_sized(field.type):
            values = table.column(index).to_pylist()
            texts = [None if value is None else value.decode("utf-8", "backslashreplace") for value in values]
            table = table.set_column(index, field.name, pa.array(texts, pa.large_string()))
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, types_mapper=_NULLABLE.get)
    return frame


def is_text(kind: pa.DataType) -> bool:
    """Return True for an Arrow type of text, each value written out."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_sized(kind: pa.DataType) -> bool:
    # Arrow counts decimals among them.
    return bool(pa.types.is_fixed_size_binary(kind) and not pa.types.is_decimal(kind))


def _unpack(values: pa.ChunkedArray, *, has_numbered_texts: bool) -> pa.ChunkedArray:
    """Return a column's values without what packs them; texts in the layout that cells have, numbered or not."""
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return _unpack(values.cast(kind.storage_type), has_numbered_texts=has_numbered_texts)
    if pa.types.is_run_end_encoded(kind):
        return _unpack(pc.run_end_decode(values), has_numbered_texts=has_numbered_texts)
    if pa.types.is_dictionary(kind):
        texts = _layout(kind.value_type)
        if texts is None or not has_numbered_texts:
            written = [_lay(each).dictionary_decode() for each in values.chunks]
            plain = pa.chunked_array(written, type=texts or kind.value_type)
            return _unpack(plain, has_numbered_texts=has_numbered_texts)
        return pa.chunked_array([_lay(each) for each in values.chunks], type=pa.dictionary(pa.int32(), texts))
    texts = _layout(kind)
    return values.cast(texts) if texts else values


def _layout(kind: pa.DataType) -> pa.DataType | None:
    """Return the type of the same texts, or bytes, whose layout is that of cells; None for what is none."""
    if is_text(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    return pa.large_binary() if is_bytes else None


def _lay(numbered: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return a dictionary of texts in the layout of cells; any other as it is."""
    texts, kind = numbered.dictionary, _layout(numbered.dictionary.type)
    # Many small dictionaries, each with numbers of one byte, together may need wider ones.
    codes = numbered.indices.cast(pa.int32())
    return pa.DictionaryArray.from_arrays(codes, texts.cast(kind) if kind else texts, safe=False)


def _sort(kind: pa.DataType) -> str:
    """Say of what sort a type is, see `refuse`."""
    sorts = {
        "number": pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind),
        "boolean": pa.types.is_boolean(kind),
        "date": pa.types.is_date(kind),
        "clock": pa.types.is_time(kind),
        "duration": pa.types.is_duration(kind),
        "nested": pa.types.is_nested(kind),
    }
    return next((sort for sort, is_it in sorts.items() if is_it), "")


def _of_dictionary(column: Column, values: pa.ChunkedArray) -> Typed:
    codes, texts = _number(values)
    cells = arrow_cells(texts)
    if column.kind == "label":
        return type_labels(codes, cells)
    us, bad, ambiguous = read_times(cells, time_zone=column.time_zone)
    times = Times(spread(codes, us, of_null=NAT), _spread_few(codes, bad), _spread_few(codes, ambiguous))
    return type_times(column, times)


def _spread_few(codes: NDArray[np.int32], few: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return spread(codes, few, of_null=False) if few.any() else np.zeros(codes.size, np.bool_)


def _number(values: pa.ChunkedArray) -> tuple[NDArray[np.int32], pa.Array]:
    """Return the number of each row's text, shape (n,), -1 for null, and the texts, shape (k,)."""
    whole = _join(values.unify_dictionaries())
    codes = borrow(len(whole), np.int32)  # not Arrow's own, which nobody may write to
    codes[:] = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, whole.dictionary


def _of_texts(column: Column, values: pa.ChunkedArray) -> Typed:
    texts = _join(values)
    cells = arrow_cells(texts)
    if column.kind == "text" and is_text(texts.type) and not texts.null_count and is_plain(*cells):
        return Typed(text_values(texts), np.zeros(len(texts), np.bool_), "")
    return type_cells(column, cells)


def _spell_bytes(values: pa.FixedSizeBinaryArray) -> pa.LargeStringArray:
    """Spell values of a fixed number of bytes, shape (n,), in hexadecimal digits."""
    width, size = values.type.byte_width, len(values)
    _, data = values.buffers()
    known = np.frombuffer(data, np.uint8)[values.offset * width : (values.offset + size) * width]
    texts = _DIGITS[np.stack([known >> 4, known & 15], axis=1)].ravel()
    return text_array(texts, np.arange(size + 1) * (2 * width), values.is_null().to_numpy(zero_copy_only=False))


def _of_timestamps(column: Column, values: pa.ChunkedArray) -> Typed:
    ticks = values.cast(pa.int64()).fill_null(NAT).to_numpy()
    zone = "UTC" if values.type.tz else column.time_zone
    return type_times(column, count_times(ticks, values.type.unit, time_zone=zone))


def _of_numbers(column: Column, values: pa.ChunkedArray) -> Typed:
    kind = values.type
    if pa.types.is_float64(kind) and column.kind == "float":
        return type_floats(values.to_numpy(), column)
    if pa.types.is_int64(kind) and column.kind == "integer":
        return _of_integers(column, values)
    if pa.types.is_decimal(kind) or (pa.types.is_float64(kind) and column.kind == "time"):
        return type_cells(column, arrow_cells(_join(values.cast(pa.large_string()))))
    series = pa.table({column.name: values}).to_pandas(types_mapper=_NULLABLE.get)[column.name]
    return type_epochs(column, series) if column.kind == "time" else type_numbers(column, series)


def _of_integers(column: Column, values: pa.ChunkedArray) -> Typed:
    null = values.is_null().to_numpy() if values.null_count else np.zeros(len(values), np.bool_)
    whole = borrow(len(values), np.int64)
    whole[:] = values.fill_null(0).to_numpy()
    return type_integers(whole, null, column)


def _join(values: pa.ChunkedArray) -> pa.Array:
    """Return the chunks as one; a single one is not copied, as Arrow would."""
    if values.num_chunks == 1:
        return values.chunk(0)
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
