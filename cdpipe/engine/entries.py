"""One entry of the cache on disk: a folder of Parquet parts and the manifest that makes it complete."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from cdpipe import __version__
from cdpipe.engine.locks import HeldLock

MANIFEST: Final = "manifest.json"
OWNER: Final = ".owner"


class DamageError(ValueError):
    """An entry is not what its manifest says, or has none."""


class File(BaseModel):
    """A file of an entry: a part or, like its rejects, attached to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[^./][^/]*$")
    bytes: NonNegativeInt


class Part(File):
    """A Parquet file of an entry."""

    rows: NonNegativeInt


class Manifest(BaseModel):
    """What an entry is. `bytes` are those of its parts and attachments, `created` is ISO 8601 in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    key: str
    params: dict[str, Any]
    rows: NonNegativeInt
    bytes: NonNegativeInt
    parts: tuple[Part, ...]
    attachments: tuple[File, ...]
    ledger: dict[str, Any]
    created: str
    cdpipe_version: str


class Entry(NamedTuple):
    """A complete entry; it is not evicted while the store that gave it is open."""

    directory: Path
    manifest: Manifest

    @property
    def parts(self) -> tuple[Path, ...]:
        """Parquet files, in the order of their rows."""
        return tuple(self.directory / part.name for part in self.manifest.parts)


class Draft:
    """An entry being written: workers write its parts, the process that began it commits or drops it.

    Attributes
    ----------
    key
        Key of the entry to be.
    directory
        Where the parts go: hand this, or `part_path`, to the workers.
    """

    def __init__(self, key: str, drafts: Path) -> None:
        self.key = key
        self.directory = drafts / f"{key[:16]}.{uuid4().hex}"
        self._owner = HeldLock(self.directory / OWNER)

    def part_path(self, index: int) -> Path:
        """Return where part `index` (from 0) goes; write it beside, fsync, then rename, as `parts.write_part` does."""
        return self.directory / f"part-{index:06d}.parquet"

    def complete(
        self, *, stage: str, params: Mapping[str, Any], part_rows: Sequence[int], ledger: Mapping[str, Any]
    ) -> Manifest:
        """Check that every part is there, flush all to the disk and write the manifest.

        Other files in the folder are attached to the entry, but for those of names with a leading dot: what a
        worker that died had half written. These go, and so do parts beyond those named.

        Raises
        ------
        DamageError
            If a part is missing.
        """
        parts = []
        for index, rows in enumerate(part_rows):
            path = self.part_path(index)
            if not path.is_file():
                raise DamageError(f"{path.name} of {len(part_rows)} parts was never written")
            parts.append(Part(name=path.name, rows=rows, bytes=_flush(path)))
        attachments = self._attach({part.name for part in parts})
        manifest = Manifest(
            stage=stage,
            key=self.key,
            params=dict(params),
            rows=sum(part_rows),
            bytes=sum(file.bytes for file in (*parts, *attachments)),
            parts=tuple(parts),
            attachments=attachments,
            ledger=dict(ledger),
            created=datetime.now(UTC).isoformat(timespec="milliseconds"),
            cdpipe_version=__version__,
        )
        (self.directory / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
        _flush(self.directory / MANIFEST)
        _flush(self.directory)
        return manifest

    def _attach(self, parts: set[str]) -> tuple[File, ...]:
        attachments = []
        for path in sorted(self.directory.iterdir()):
            if path.name in parts or path.name == OWNER:
                continue
            if path.name.startswith((".", "part-")):
                path.unlink()
            else:
                attachments.append(File(name=path.name, bytes=_flush(path)))
        return tuple(attachments)

    def publish(self, place: Path) -> None:
        """Give the completed draft its place among the entries, which must be free."""
        self._owner.release()
        place.parent.mkdir(exist_ok=True)
        self.directory.rename(place)
        _flush(place.parent)

    def drop(self) -> None:
        """Remove what was written; nothing is left to remove once it is published."""
        delete_folder(self.directory)
        self._owner.release()

    def __enter__(self) -> Self:
        """Return the draft."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the draft unless it was published."""
        self.drop()


def read_entry(place: Path) -> Entry | None:
    """Read and check the entry in a folder; None if there is no folder.

    Raises
    ------
    DamageError
        If its manifest cannot be read, or a part is missing or of another size.
    """
    try:
        manifest = Manifest.model_validate_json((place / MANIFEST).read_bytes())
    except FileNotFoundError:
        if place.is_dir():
            raise DamageError(f"{MANIFEST} is missing") from None
        return None
    except ValidationError as error:
        first = error.errors()[0]
        raise DamageError(f"{MANIFEST} is not one: {first['msg']} {first['loc']}") from None
    if manifest.key != place.name:
        raise DamageError(f"{MANIFEST} is that of {manifest.key}")
    for file in (*manifest.parts, *manifest.attachments):
        try:
            size = (place / file.name).stat().st_size
        except FileNotFoundError:
            raise DamageError(f"{file.name} is missing") from None
        if size != file.bytes:
            raise DamageError(f"{file.name} has {size} bytes, not {file.bytes}")
    return Entry(place, manifest)


def delete_folder(folder: Path) -> None:
    """Delete a folder and all in it, also while another process does the same."""
    for root, folders, files in os.walk(folder, topdown=False):
        for name in files:
            Path(root, name).unlink(missing_ok=True)
        for name in folders:
            _remove_folder(Path(root, name))
    _remove_folder(folder)


def _remove_folder(folder: Path) -> None:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return
    except NotADirectoryError:
        folder.unlink(missing_ok=True)  # a link to a folder: the link goes, the folder is not ours


def _flush(path: Path) -> int:
    """Have the kernel put a file, or a folder's list of names, on the disk; return its bytes."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
