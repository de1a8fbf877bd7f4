"""The rejects file: the first records that could not be read, each with its line, the reason and its text."""

import json
import os
import shutil
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from cdpipe.oserrors import naming
from cdpipe.stages.gather.gather import KEPT_REJECTS, Reject
from cdpipe.stages.ledger import Ledger

REJECTS: Final = "rejects.jsonl"
FURTHER: Final = "further rejects"
"""Code of the file's last line where there are more rejects than it holds."""


def write_rejects(rejects: Sequence[Reject], folder: Path, index: int) -> None:
    """Write a partition's rejects beside its part, as JSON lines (the fields of `Reject`)."""
    piece = piece_path(folder, index)
    # A name that is not UTF-8 has halves of pairs, and their escapes are JSON's.
    with naming(piece), piece.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.writelines(map(_spell, rejects))


def join_rejects(folder: Path, gathered: Ledger) -> Path:
    """Put the partitions' rejects together in `rejects.jsonl`, in the order of their rows; an empty file if none.

    Parameters
    ----------
    folder
        Where they were written.
    gathered
        The account of gathering, which counts all that were rejected. The file has the first `KEPT_REJECTS` of them
        and, if there are more, a last line that says how many.
    """
    whole, left = folder / REJECTS, KEPT_REJECTS
    with naming(whole), whole.open("wb") as stream:
        for piece in sorted(folder.glob("rejects-*.jsonl")):
            with piece.open("rb") as part:
                for line in islice(part, left):
                    stream.write(line)
                    left -= 1
            piece.unlink()
        if further := count_further(gathered):
            reason = f"{further:,} further records were rejected; the run's account counts all of them, by reason"
            stream.write(_spell(Reject("", 0, FURTHER, reason, "")).encode())
    return whole


def piece_path(folder: Path, index: int) -> Path:
    """Return the file of a partition's rejects until they are joined; names sort as the rows do."""
    return folder / f"rejects-{index:06d}.jsonl"


def count_further(gathered: Ledger) -> int:
    """Return how many rejects are only counted, given the account of gathering."""
    return max(0, sum(gathered.dropped.values()) - KEPT_REJECTS)


def share_rejects(whole: Path, folder: Path) -> None:
    """Put a rejects file into another folder too, without a copy of it where the file system allows that."""
    target = folder / REJECTS
    try:
        os.link(whole, target)
    except OSError:  # another disk, or one without links
        with naming(target):
            shutil.copyfile(whole, target)


def _spell(reject: Reject) -> str:
    return json.dumps(reject._asdict(), ensure_ascii=False) + "\n"
