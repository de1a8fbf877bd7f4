"""Verification of a cache folder: every entry is read wholly, and what is damaged goes."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cdpipe.engine.cache.cache_folder import LOCK, list_entries
from cdpipe.engine.cache.entry import read_entry
from cdpipe.engine.cache.eviction import discard, read_pins
from cdpipe.engine.cache.manifest import OutdatedError
from cdpipe.engine.files.digests import DamageError
from cdpipe.engine.files.locks import locked


class Verdict(NamedTuple):
    """What an entry is found to be.

    Attributes
    ----------
    key, stage
        Which entry it is; the stage is unknown if the manifest is damaged.
    bytes
        How many of it were checked.
    fault
        What is wrong with it (None: nothing).
    damaged
        Whether it is not what was written; else what is wrong is that another version of cdpipe made it.
    removed
        Whether it is gone: it is left where it is if a live run uses it.
    """

    key: str
    stage: str | None
    bytes: int
    fault: str | None = None
    damaged: bool = False
    removed: bool = False


def verify_entries(directory: Path) -> Iterator[Verdict]:
    """Yield the verdict on each entry of a cache folder, in no order, as soon as it is found.

    Raises
    ------
    OSError
        If something cannot be deleted.
    """
    for place in list_entries(directory):
        found = _judge(place)
        if found is not None and found.fault is not None:
            found = _remove(directory, place)
        if found is not None:
            yield found


def _judge(place: Path) -> Verdict | None:
    """Return the verdict on the entry in a folder; None if there is none (any more)."""
    stage, size = None, 0
    try:
        entry = read_entry(place)
        if entry is None:
            return None
        stage, size = entry.manifest.stage, entry.manifest.bytes
        entry.require_sound()
        return Verdict(place.name, stage, size)
    except DamageError as error:
        if not place.is_dir():
            return None  # evicted meanwhile
        return Verdict(place.name, stage, size, str(error), damaged=not isinstance(error, OutdatedError))


def _remove(directory: Path, place: Path) -> Verdict | None:
    """Judge an entry once more while nobody can exchange it, and take it away unless a live run uses it."""
    with locked(directory / LOCK, exclusive=True):
        found = _judge(place)
        if found is None or found.fault is None or place.name in read_pins(directory):
            return found
        discard(directory, place)
        return found._replace(removed=True)
