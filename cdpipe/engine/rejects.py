"""The rejects file: every record that could not be read, with its place, the reason and its text."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cdpipe.oserrors import naming
from cdpipe.stages.gather import Reject

REJECTS: Final = "rejects.jsonl"


def write_rejects(rejects: Sequence[Reject], folder: Path, index: int) -> None:
    """Write a partition's rejects beside its part, as JSON lines (the fields of `Reject`)."""
    piece = piece_path(folder, index)
    # A name that is not UTF-8 has halves of pairs, and their escapes are JSON's.
    with naming(piece), piece.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.writelines(json.dumps(reject._asdict(), ensure_ascii=False) + "\n" for reject in rejects)


def join_rejects(folder: Path) -> Path:
    """Put the partitions' rejects together in `rejects.jsonl`, in the order of their rows; an empty file if none."""
    whole = folder / REJECTS
    with naming(whole), whole.open("wb") as stream:
        for piece in sorted(folder.glob("rejects-*.jsonl")):
            with piece.open("rb") as part:
                shutil.copyfileobj(part, stream)
            piece.unlink()
    return whole


def piece_path(folder: Path, index: int) -> Path:
    """Return the file of a partition's rejects until they are joined; names sort as the rows do."""
    return folder / f"rejects-{index:06d}.jsonl"
