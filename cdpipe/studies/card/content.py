"""Content of a data set: a digest that does not depend on its files, and what its columns and labels hold."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import xxhash
from numpy.typing import NDArray

from cdpipe.columns import LABELS, TIME, VEHICLE

_ROWS_AT_ONCE: Final = 1 << 17
_SEEDS: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
"""One for each half of the digest."""

_NULL: Final = np.uint64(0x6E756C6C)
_NAN: Final = np.uint64(0x7FF8000000000000)


class Extent(NamedTuple):
    """What a column holds: its type, how many nulls, and the least and greatest value (None: it holds none)."""

    type: str
    nulls: int
    least: float | int | None
    greatest: float | int | None


class Content(NamedTuple):
    """What a data set holds.

    Attributes
    ----------
    digest
        32 hexadecimal digits: of the set of rows and of the columns' names. Order of rows, cutting into files, folders
        by value and compression do not change it.
    rows, vehicles
        How many there are.
    columns
        By name, in order.
    labels
        By label, messages with 1, and vehicles that have such a message.
    """

    digest: str
    rows: int
    vehicles: int
    columns: dict[str, Extent]
    labels: dict[str, tuple[int, int]]


def read_content(folder: Path) -> Content:
    """Read a data set once, a batch at a time, and say what it holds.

    Each row has two 64-bit numbers: for each column, in the order of names, the row's number so far is multiplied and
    mixed (the finaliser of SplitMix64) with the value's eight bytes. The digest is their sums over all rows. It finds
    accidents, not forgers: SHA-256 of the files is in `report.json` beside them.

    Parameters
    ----------
    folder
        Of Parquet files, also in folders such as `year=2020`.

    Raises
    ------
    OSError
        If there is no data set, or it cannot be read.
    """
    dataset = ds.dataset(folder, format="parquet", partitioning="hive", exclude_invalid_files=False)
    names = sorted(dataset.schema.names)
    sums = [0, 0]
    rows = 0
    extents = {name: Extent(str(dataset.schema.field(name).type), 0, None, None) for name in dataset.schema.names}
    seen = np.empty(0, np.uint64)
    labelled = {label: (0, np.empty(0, np.uint64)) for label in LABELS if label in names}
    for batch in _batches(dataset):
        rows += batch.num_rows
        words = {name: _to_words(batch.column(name)) for name in names}
        for half, seed in enumerate(_SEEDS):
            sums[half] = (sums[half] + int(_mix_rows(words, seed).sum(dtype=np.uint64))) % 2**64
        extents = {name: _widen(extent, batch.column(name)) for name, extent in extents.items()}
        vehicle = words.get(VEHICLE, np.empty(0, np.uint64))
        seen = np.union1d(seen, vehicle)
        for label, (count, vehicles) in labelled.items():
            hit = np.asarray(pc.fill_null(pc.equal(batch.column(label), 1), False))
            labelled[label] = count + int(hit.sum()), np.union1d(vehicles, vehicle[hit] if vehicle.size else vehicle)
    heads = xxhash.xxh3_128_hexdigest("\0".join(names).encode())
    digest = xxhash.xxh3_128_hexdigest(f"{heads} {rows} {sums[0]:016x}{sums[1]:016x}".encode())
    labels = {label: (count, vehicles.size) for label, (count, vehicles) in labelled.items()}
    return Content(digest, rows, seen.size, extents, labels)


def find_period(content: Content) -> tuple[int, int] | None:
    """Return the first and last time, microseconds since 1970, if there is one."""
    extent = content.columns.get(TIME)
    return None if extent is None or extent.least is None else (int(extent.least), int(extent.greatest or 0))


def _batches(dataset: Any) -> Iterator[pa.RecordBatch]:  # noqa: ANN401 - pyarrow has no types
    for batch in dataset.to_batches(batch_size=_ROWS_AT_ONCE):
        if batch.num_rows:
            yield batch


def _to_words(column: pa.Array) -> NDArray[np.uint64]:
    """Return eight bytes for each value: numbers as such, texts by their hash, nulls and NaN as one value each."""
    kind = column.type
    null = np.asarray(column.is_null())
    if pa.types.is_floating(kind):
        values = np.asarray(column.cast(pa.float64()).fill_null(0.0))
        words = np.where(values == 0.0, 0.0, values).view(np.uint64)  # the two zeros are one
        words = np.where(np.isnan(values), _NAN, words)
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_timestamp(kind):
        whole = column.cast(pa.uint64() if pa.types.is_unsigned_integer(kind) else pa.int64())
        words = np.asarray(whole.fill_null(0)).view(np.uint64)
    else:
        encoded = column if pa.types.is_dictionary(kind) else column.dictionary_encode()
        texts = [xxhash.xxh64_intdigest(str(each).encode()) for each in encoded.dictionary.to_pylist()]
        words = np.array([*texts, 0], np.uint64)[np.asarray(encoded.indices.fill_null(-1))]
    return np.where(null, _NULL, words)


def _mix_rows(words: dict[str, NDArray[np.uint64]], seed: int) -> NDArray[np.uint64]:
    rows = next(iter(words.values())).size
    mixed = np.full(rows, seed, np.uint64)
    for each in words.values():
        mixed = _finalise(mixed * np.uint64(0xD1342543DE82EF95) + each)
    return mixed


def _finalise(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return values mixed by the finaliser of SplitMix64."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _widen(extent: Extent, column: pa.Array) -> Extent:
    """Return what a column holds, with a batch more."""
    nulls = extent.nulls + column.null_count
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return extent._replace(nulls=nulls)
    found = pc.min_max(column).as_py()
    ends = [end for end in (extent.least, extent.greatest, *found.values()) if end is not None and not math.isnan(end)]
    return Extent(extent.type, nulls, min(ends, default=None), max(ends, default=None))
