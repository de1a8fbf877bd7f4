"""Steps of a partition's task, as values: what it takes its rows from, what is done to them, and its account."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from cdpipe.engine.buckets.chunks import SUFFIX, Chunk
from cdpipe.engine.files.parts import Flush, Written
from cdpipe.engine.files.sources import Block
from cdpipe.stages import order
from cdpipe.stages.gather.gather import MUST
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.order import Key
from cdpipe.stages.params import Params


class Stored(NamedTuple):
    """A partition that a task reads from disk.

    Attributes
    ----------
    path
        Its file.
    columns
        The columns wanted of it (None: all).
    dropped
        What the first stage would drop of it, where that is known to be every row: then none is read.
    block, gathered
        Of a part of gathering, what it was gathered from (how many row numbers the block takes is known), and its
        account: its rows are numbered from the first of their file on (see `Keep.by_file`).
    known
        What was written there, and must still be there (None: nobody noted it).
    """

    path: Path
    columns: tuple[str, ...] | None = None
    dropped: Ledger | None = None
    block: Block | None = None
    gathered: Ledger | None = None
    known: Written | None = None


class Raw(NamedTuple):
    """A block of a source file that a task reads and types.

    Attributes
    ----------
    block, columns
        What is read.
    rejects
        The folder its rejects go to (None: they are only counted).
    required
        Columns in which an unreadable cell rejects the record.
    fills_times
        Whether a message without a time gets the one at which it was received.
    """

    block: Block
    columns: tuple[str, ...]
    rejects: Path | None = None
    required: tuple[str, ...] = MUST
    fills_times: bool = False


class Bucket(NamedTuple):
    """The messages of a range of vehicles, or of a part of one vehicle's time, that a task reads from many files.

    Attributes
    ----------
    chunks
        What is read, in the order of their files.
    schema
        That of the chunks.
    columns
        The columns wanted (None: all).
    after, until
        Keys between which messages are wanted, the second not included; None: from the first, to the last. Where
        there is a bound, the task goes on from the state in which that of the bucket before left its stages.
    """

    chunks: tuple[Chunk, ...]
    schema: pa.Schema
    columns: tuple[str, ...] | None = None
    after: Key | None = None
    until: Key | None = None


Source = Raw | Stored | Bucket


class Apply(NamedTuple):
    """Step: take the partition through a stage."""

    stage: str
    params: Params


class Keep(NamedTuple):
    """Step: write the partition as it now is, and go on with it.

    Attributes
    ----------
    stage, folder
        Whose output it is, and where it goes.
    by_file
        Number its rows from the first of their file on there: then the part serves wherever the file stands among
        others. A stored part of gathering is one already, and is not written.
    passes
        Write it as Arrow has it, for the next pass alone.
    flush
        When it goes to the disk.
    """

    stage: str
    folder: Path
    by_file: bool = False
    passes: bool = False
    flush: Flush = "now"


class Scatter(NamedTuple):
    """Step: put the partition's messages in order, and write them by buckets of vehicles.

    Attributes
    ----------
    folder, buckets
        Where they go, and how many buckets there are.
    flush
        When they go to the disk.
    """

    folder: Path
    buckets: int
    flush: Flush = "now"

    @property
    def stage(self) -> str:
        """The name of the step."""
        return order.NAME


class Look(NamedTuple):
    """Step: survey the partition for the global step of a stage to come."""

    stage: str
    params: Params


Step = Apply | Keep | Scatter | Look


class Outcome(NamedTuple):
    """What one partition's task gives back: accounts, never rows.

    Attributes
    ----------
    ledgers
        By stage.
    seconds
        Time spent, by stage; writing counts to the stage whose output is written.
    rows
        Rows that came in.
    read_bytes
        Bytes of the source.
    numbers
        Row numbers that the partition takes, where it is one of the input: those of rejected records too.
    survey
        What a `Look` found.
    written
        By stage, what a `Keep` wrote.
    state
        By stage, what it goes on from in the bucket that follows, where that has messages of the same vehicle.
    """

    ledgers: dict[str, Ledger]
    seconds: dict[str, float]
    rows: int
    read_bytes: int
    numbers: int = 0
    survey: Any = None
    written: Mapping[str, Written] = {}
    state: Mapping[str, Any] = {}


def part_name(index: int, suffix: str = ".parquet") -> str:
    """Return the file name of a partition: names sort as the rows do."""
    return f"part-{index:06d}{suffix}"


def bucket_name(index: int) -> str:
    """Return the name of the file of buckets that is made of a partition."""
    return part_name(index, SUFFIX)
