"""Entries for the tests of the cache."""

import numpy as np
import pandas as pd

from cdpipe.engine.cache.store import key
from cdpipe.engine.files.parts import write_part

FRAME = pd.DataFrame({"row_number": np.arange(1000), "x_pos": np.linspace(0, 1, 1000)})
LEDGER = {"stages": [{"stage": "clean", "rows_in": 1200, "rows_out": 1000, "dropped": {"null": 200}, "notes": {}}]}


def name(number):
    return key("clean", 1, {"number": number}, "input")


def put(store, number=0, *, parts=1, padding=0):
    """Commit an entry; `padding` bytes are attached to give it a size."""
    with store.begin(name(number)) as draft:
        for index in range(parts):
            write_part(FRAME, draft.part_path(index))
        if padding:
            (draft.directory / "padding.bin").write_bytes(bytes(padding))
        return store.commit(
            draft, stage="clean", params={"number": number}, part_rows=[len(FRAME)] * parts, ledger=LEDGER
        )


def kept(params):
    """Numbers (below 100) of the entries on disk."""
    folders = {folder.name for folder in params.directory.glob("??/*")}
    return {number for number in range(100) if name(number) in folders}
