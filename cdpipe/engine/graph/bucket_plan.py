"""Plan of the tasks that take ordered messages: which buckets each reads, so that all are of about one size."""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdpipe.columns import TIME, VEHICLE
from cdpipe.engine.buckets.chunks import Chunk, read_chunk
from cdpipe.engine.graph.layers import Layer
from cdpipe.engine.graph.steps import Bucket
from cdpipe.stages.order import SECOND_US, Key

_SAMPLED: Final = 1024
"""One key in this many is looked at to cut a bucket that is too large."""

_TOLERANCE: Final = 1.5
"""A bucket is cut if it is larger than wanted by this factor."""

Keys = NDArray[np.void]


def group_buckets(chunks: Sequence[Chunk], *, wanted_bytes: int) -> Iterator[tuple[list[Chunk], int]]:
    """Yield the chunks of some buckets that follow each other, and into how many pieces they are to be cut.

    Parameters
    ----------
    chunks
        Of all files, in the order of their files.
    wanted_bytes
        How large a task's messages should be.
    """
    group: list[Chunk] = []
    size = 0
    for _number, each in groupby(sorted(chunks, key=attrgetter("bucket")), attrgetter("bucket")):
        bucket = list(each)
        more = sum(chunk.bytes for chunk in bucket)
        if group and size + more > wanted_bytes:
            yield group, _count_pieces(size, wanted_bytes)
            group, size = [], 0
        group, size = group + bucket, size + more
    yield group, _count_pieces(size, wanted_bytes)


def _count_pieces(size: int, wanted_bytes: int) -> int:
    return 1 if size <= _TOLERANCE * wanted_bytes else -(-size // wanted_bytes)


def lay_bounds(groups: Sequence[tuple[list[Chunk], int]]) -> list[object]:
    """Lay the tasks that find where groups are to be cut, a list of keys each; nothing is computed yet."""
    layer = Layer("bounds")
    return list(layer.wrap([layer.add("bounds", at, find_bounds, *group) for at, group in enumerate(groups)]))


def find_bounds(chunks: Sequence[Chunk], pieces: int) -> list[Key]:
    """Return the keys at which chunks are cut into pieces of about one size: at most one fewer than pieces.

    A cut is at the beginning of a second, so that no second of a vehicle, whose coarse times go by row number, is in
    two pieces.
    """
    sampled = np.concatenate([_sample(read_chunk(chunk)) for chunk in chunks])
    sampled.sort(order=["vehicle", "second"])
    places = (np.arange(1, pieces) * sampled.size) // pieces
    cuts = np.unique(sampled[places])
    keys = [Key(int(cut["vehicle"]), int(cut["second"]) * SECOND_US) for cut in cuts]
    return [key for key in keys if any(chunk.first < key for chunk in chunks)]


def _sample(table: pa.Table) -> Keys:
    places = np.arange(0, len(table), _SAMPLED)
    keys = np.empty(places.size, [("vehicle", np.uint64), ("second", np.int64)])
    keys["vehicle"] = table[VEHICLE].to_numpy()[places]
    keys["second"] = table[TIME].to_numpy()[places] // SECOND_US
    return keys


def cut_group(chunks: Sequence[Chunk], bounds: Sequence[Key], schema: pa.Schema) -> Iterator[Bucket]:
    """Yield the pieces of a group of buckets, each with the chunks that have messages of it."""
    for after, until in pairwise((None, *bounds, None)):
        within = tuple(
            chunk
            for chunk in chunks
            if (after is None or chunk.last >= after) and (until is None or chunk.first < until)
        )
        yield Bucket(within, schema, after=after, until=until)
