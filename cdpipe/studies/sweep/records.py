"""Records: what each finished cell found, a file a cell, which is there whole or not at all."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from cdpipe.engine.files.seals import open_seal, seal
from cdpipe.oserrors import naming

FOLDER: Final = "cells"

Record = Mapping[str, Any]


class Records:
    """The records of a study, on a disk.

    Parameters
    ----------
    folder
        Where they are; made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, key: str) -> Record | None:
        """Return what a cell found; None if it has not been done, or its file was damaged since."""
        try:
            said = open_seal(self._path(key).read_bytes())
        except OSError:
            return None
        return said if said is not None and said.get("key") == key else None

    def write(self, key: str, record: Record) -> None:
        """Write what a cell found, and flush it to the disk."""
        path = self._path(key)
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.{uuid4().hex}")
            with beside.open("w", encoding="utf-8") as stream:
                json.dump(seal({**record, "key": key}, {}), stream, allow_nan=False)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(path)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"
