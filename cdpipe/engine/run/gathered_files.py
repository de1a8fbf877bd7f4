"""Gathered files: what an entry of gathering holds of each input file, so that a run with other files takes it over.

A part's rows are numbered from the first of their file on, and rejects have lines of their file: neither depends on
what other files there are.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, NonNegativeInt, RootModel, ValidationError

from cdpipe.engine.cache.entry import Entry
from cdpipe.engine.cache.manifest import OutdatedError, Part
from cdpipe.engine.files.digests import DamageError, read_kept, reading, require_kept
from cdpipe.engine.files.rejects import REJECTS, piece_path
from cdpipe.engine.files.sources import Block, SourceFile
from cdpipe.engine.graph.steps import Outcome, Raw, Stored, part_name
from cdpipe.oserrors import naming
from cdpipe.stages.gather.gather import NAME as GATHER
from cdpipe.stages.ledger import Ledger

FILES: Final = "files.json"
_NOTE: Final = b'{"file": ""'
"""Begins a line of the rejects file that is of no file: it says how many were left out."""


class GatheredPart(BaseModel):
    """A part of a file: how many row numbers it takes, and its account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    numbers: NonNegativeInt
    ledger: Ledger


class GatheredFile(BaseModel):
    """An input file: its identity and how it is read, and its parts, which follow one another in the entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    parts: tuple[GatheredPart, ...]


_Files = RootModel[tuple[GatheredFile, ...]]


class _Held(NamedTuple):
    """A file of an entry, its parts on disk, and where its lines of the rejects file begin and end."""

    file: GatheredFile
    parts: tuple[Part, ...]
    first_reject: int
    end_rejects: int


def write_files(folder: Path, files: Sequence[GatheredFile]) -> None:
    """Write what a draft of gathering holds of each file, in the order of its parts."""
    path = folder / FILES
    with naming(path):
        path.write_text(_Files(tuple(files)).model_dump_json(), encoding="utf-8")


def account_files(raw: Sequence[Raw], files: Mapping[str, str], accounts: Sequence[Outcome]) -> list[GatheredFile]:
    """Return what gathering made of each input file.

    Parameters
    ----------
    raw, accounts
        The input's blocks, in the order of their rows, and what came of each.
    files
        By path, the key of each file.
    """
    parts: dict[str, list[GatheredPart]] = {}
    for source, account in zip(raw, accounts, strict=True):
        part = GatheredPart(numbers=account.numbers, ledger=account.ledgers[GATHER])
        parts.setdefault(files[source.block.file.path], []).append(part)
    return [GatheredFile(key=key, parts=tuple(those)) for key, those in parts.items()]


def load_entry(entry: Entry) -> list[Stored]:
    """Return all parts of an entry of gathering.

    Raises
    ------
    DamageError
        If the entry does not say which file each part is of.
    """
    return [part for held in _hold(entry) for part in _store(entry, held)]


def take_files(
    entries: Iterable[Entry],
    raw: Sequence[Raw],
    files: Mapping[str, str],
    folder: Path,
    *,
    discard: Callable[[str, DamageError], None],
) -> dict[int, Stored]:
    """Take over what any of some entries has of the input's files; looks no further once it has all.

    Parameters
    ----------
    entries
        Where from.
    raw, files
        The input's blocks, in the order of their rows, and by path the key of each file.
    folder
        The draft's.
    discard
        Called with the key of an entry that is damaged.

    Returns
    -------
    dict
        By index in `raw`, the part that stands for the block.
    """
    wanted: dict[str, list[int]] = {}
    for place, source in enumerate(raw):
        wanted.setdefault(files[source.block.file.path], []).append(place)
    taken: dict[int, Stored] = {}
    for entry in entries:
        try:
            taken |= take_over(entry, wanted, folder)
        except DamageError as error:
            discard(entry.manifest.key, error)
        wanted = {key: places for key, places in wanted.items() if places[0] not in taken}
        if not wanted:
            break
    return taken


def take_over(entry: Entry, wanted: Mapping[str, Sequence[int]], folder: Path) -> dict[int, Stored]:
    """Take files over from an entry of gathering into the draft of another, without a copy of their parts.

    A file is left out unless the entry has all rejects that a run of this file alone would keep.

    Parameters
    ----------
    entry
        Where from.
    wanted
        By the key of a file, the indices of its parts in the draft.
    folder
        The draft's; it gets the parts and their rejects.

    Returns
    -------
    dict
        By index in the draft, the part: as the entry has it, which says what was written there.

    Raises
    ------
    DamageError
        If the entry does not say which file each part is of.
    """
    held = [each for each in _hold(entry) if len(wanted.get(each.file.key, ())) == len(each.parts)]
    require_kept(entry.attached(REJECTS))
    kept = sum(1 for _ in _read_rejects(entry))
    taken: dict[int, Stored] = {}
    try:
        for each in held:
            places = wanted[each.file.key]
            if each.first_reject < each.end_rejects and each.end_rejects > kept:
                continue
            for place, part in zip(places, each.parts, strict=True):
                _link(entry.directory / part.name, folder / part_name(place))
            _copy_rejects(entry, each, places, folder)
            taken.update(zip(places, _store(entry, each), strict=True))
    except DamageError:
        for place in (place for places in wanted.values() for place in places):
            piece_path(folder, place).unlink(missing_ok=True)
        raise
    return taken


def _hold(entry: Entry) -> Iterator[_Held]:
    try:
        files = _Files.model_validate_json(read_kept(entry.attached(FILES))).root
    except ValidationError as error:
        raise OutdatedError(f"{FILES} is of another form: {error.errors()[0]['msg']}") from None
    if sum(len(file.parts) for file in files) != len(entry.manifest.parts):
        raise OutdatedError(f"{FILES} is not of {len(entry.manifest.parts)} parts")
    parts, reject = iter(entry.manifest.parts), 0
    for file in files:
        end = reject + sum(map(_count_rejects, file.parts))
        yield _Held(file, tuple(islice(parts, len(file.parts))), reject, end)
        reject = end


def _store(entry: Entry, held: _Held) -> list[Stored]:
    source = SourceFile(held.file.key, "parquet", 0, ())
    return [
        Stored(
            entry.directory / part.name,
            block=Block(source, 0, 0, known.numbers),
            gathered=known.ledger,
            known=part.written,
        )
        for part, known in zip(held.parts, held.file.parts, strict=True)
    ]


def _count_rejects(part: GatheredPart) -> int:
    return part.ledger.rows_in - part.ledger.rows_out


def _read_rejects(entry: Entry) -> Iterator[bytes]:
    with (entry.directory / REJECTS).open("rb") as stream:
        yield from (line for line in stream if not line.startswith(_NOTE))


def _copy_rejects(entry: Entry, held: _Held, places: Sequence[int], folder: Path) -> None:
    lines = islice(_read_rejects(entry), held.first_reject, held.end_rejects)
    for place, part in zip(places, held.file.parts, strict=True):
        if count := _count_rejects(part):
            piece = piece_path(folder, place)
            with naming(piece), piece.open("wb") as stream:
                stream.writelines(islice(lines, count))


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # a file system without links, or one that has no more of this file
        with reading(path):
            shutil.copyfile(path, target)
