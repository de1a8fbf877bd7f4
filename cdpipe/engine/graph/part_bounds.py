"""Row groups of a data set that hold no wanted row, told by the bounds noted in the file, so that nobody reads them.

Only files that cdpipe wrote can be told: there nothing is malformed, NaN is null and "unavailable" codes are gone. In a
foreign file a bound speaks for neither, and the account of dropped rows by reason would not be that of reading it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from cdpipe.columns import BY_NAME, LATITUDE, LONGITUDE
from cdpipe.engine.files.parts import Written, find_nulls, read_notes
from cdpipe.stages.base import Stage
from cdpipe.stages.filters import Region, Span
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.params import Params

_ON_EARTH: Final = {LATITUDE: Span(-90.0, 90.0), LONGITUDE: Span(-180.0, 180.0)}
"""A position beyond is dropped for that, before any filter sees it."""


def find_dropped(path: Path, stage: Stage, params: Params, *, known: Written | None = None) -> Ledger | None:
    """Return what a stage would drop of a part, if the file's notes tell that it is every row; else None.

    Errors as of `parts.read_notes`.
    """
    if stage.regions is None:
        return None
    metadata = read_notes(path, known=known)
    regions = stage.regions(params, metadata.schema.names)
    # A message without a position, or with one off the globe, is dropped for that before any filter.
    settled = settle_groups(metadata, [region for _, region in regions], present=(LATITUDE, LONGITUDE))
    if not regions or None in settled:
        return None
    dropped: dict[str, int] = {}
    for index, place in enumerate(settled):
        reason = regions[place or 0][0]
        dropped[reason] = dropped.get(reason, 0) + metadata.row_group(index).num_rows
    return Ledger(stage.name, metadata.num_rows, 0, dropped)


def settle_groups(metadata: pq.FileMetaData, filters: Sequence[Region], *, present: Sequence[str]) -> list[int | None]:
    """Say which filter drops every row of a row group, and is the first to drop any.

    Parameters
    ----------
    metadata
        The file's.
    filters
        In the order in which they are applied.
    present
        Columns in which a null drops the row before any filter sees it. Those that the filters look at need not be
        among them: a null there is taken to do the same.

    Returns
    -------
    list
        For each row group the index of that filter in `filters`; None if the group has to be read.
    """
    nulls = find_nulls(metadata)
    if nulls is None:
        return [None] * metadata.num_row_groups
    looked_at = dict.fromkeys((*present, *(name for region in filters for name in region.spans)))
    return [
        None if bounds is None else _settle(bounds, filters)
        for index in range(metadata.num_row_groups)
        for bounds in (_find_bounds(metadata.row_group(index), tuple(looked_at), nulls),)
    ]


def _find_bounds(group: pq.RowGroupMetaData, names: Sequence[str], nulls: Mapping[str, int]) -> dict[str, Span] | None:
    """Return the bounds of the columns that have any; None if one of all those named may hold a null."""
    places = {group.column(place).path_in_schema: place for place in range(group.num_columns)}
    bounds = {}
    for name in names:
        if name not in places or nulls[name]:
            return None
        statistics = group.column(places[name]).statistics
        if statistics is not None and statistics.has_min_max:
            bounds[name] = Span(*(_measure(name, value) for value in (statistics.min, statistics.max)))
    if any(not _holds((_ON_EARTH[name],), bounds[name]) for name in _ON_EARTH.keys() & bounds.keys()):
        return None
    return bounds


def _measure(name: str, value: Any) -> float:  # noqa: ANN401 - what Arrow makes of a column's type
    """Return a bound as a number: of a time, microseconds since 1970."""
    return int(np.datetime64(value, "us").astype(np.int64)) if BY_NAME[name].kind == "time" else value


def _settle(bounds: Mapping[str, Span], filters: Sequence[Region]) -> int | None:
    for place, region in enumerate(filters):
        if any(name in bounds and _misses(spans, bounds[name]) for name, spans in region.spans.items()):
            return place
        if not region.exact or not all(
            name in bounds and _holds(spans, bounds[name]) for name, spans in region.spans.items()
        ):
            return None
    return None


def _misses(spans: Sequence[Span], bounds: Span) -> bool:
    return all(bounds.greatest < span.least or bounds.least > span.greatest for span in spans)


def _holds(spans: Sequence[Span], bounds: Span) -> bool:
    return any(span.least <= bounds.least and bounds.greatest <= span.greatest for span in spans)
