"""Parts between passes: a partition as Arrow has it in memory, for the next pass of the same run and nobody else.

Nothing is encoded, and no bounds are noted: nobody else reads it (docs/adr/0027). A part is read whole, hashed and
decoded there: what was checked is what is used. A file that is cut short while it is mapped would end the process.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from cdpipe.engine.files.digests import DamageError, Kept, read_kept
from cdpipe.engine.files.parts import Flush, Written, table_to_frame, to_arrow, writing_beside

SUFFIX: Final = ".arrow"


def write_passing(frame: pd.DataFrame, path: Path, *, flush: Flush) -> Written:
    """Write a frame as one record batch; it appears whole or not at all, as a part does (see `write_part`)."""
    with writing_beside(path, flush=flush) as stream:
        table = to_arrow(frame)
        with pa.ipc.new_file(stream, table.schema) as writer:
            writer.write_table(table)
        size, digest = stream.tell(), stream.digest
    return Written(len(frame), size, digest, digest)


def read_passing(path: Path, columns: Sequence[str] | None = None, *, known: Written) -> pd.DataFrame:
    """Read a part, or some of its columns, with the types it was written with.

    Raises
    ------
    DamageError
        If it is not what was written there.
    """
    data = read_kept(Kept(path, known.digest))
    try:
        table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
    except pa.ArrowInvalid as error:
        raise DamageError(f"{path.name} cannot be read ({error})", path) from None
    return table_to_frame(table if columns is None else table.select(list(columns)))
