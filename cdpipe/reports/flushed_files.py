"""Files that are on the disk before a run says so."""

import os
from pathlib import Path

from cdpipe.oserrors import naming


def write_flushed(path: Path, content: bytes) -> None:
    """Write a file and flush it to the disk."""
    with naming(path), path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
