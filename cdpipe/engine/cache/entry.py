"""One entry of the cache on disk: a folder of Parquet parts and the manifest that makes it complete."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from uuid import uuid4

from cdpipe import __version__
from cdpipe.engine.cache.manifest import MANIFEST, File, Manifest, OutdatedError, Part, open_sealed, seal
from cdpipe.engine.files.digests import DamageError, Kept, hash_file, require_kept
from cdpipe.engine.files.locks import HeldLock
from cdpipe.engine.files.parts import Written, note_part
from cdpipe.stages.ledger import Ledger

OWNER: Final = ".owner"


class Entry(NamedTuple):
    """A complete entry; it is not evicted while the store that gave it is open."""

    directory: Path
    manifest: Manifest

    @property
    def parts(self) -> tuple[Path, ...]:
        """Parquet files, in the order of their rows."""
        return tuple(self.directory / part.name for part in self.manifest.parts)

    @property
    def written(self) -> tuple[Written, ...]:
        """What was written as each part."""
        return tuple(part.written for part in self.manifest.parts)

    @property
    def kept_parts(self) -> tuple[Kept, ...]:
        """Parquet files, in the order of their rows, with what they must have."""
        return tuple(Kept(self.directory / part.name, part.digest) for part in self.manifest.parts)

    @property
    def ledgers(self) -> tuple[Ledger, ...]:
        """Accounts of the stages up to this output.

        Raises
        ------
        DamageError
            If the manifest has none that balance.
        """
        try:
            return tuple(Ledger(**each) for each in self.manifest.ledger["stages"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise OutdatedError(f"its accounts are of another form ({error!r})", self.directory / MANIFEST) from None

    def attached(self, name: str) -> Kept:
        """Return a file that is no part, with what it must have.

        Raises
        ------
        DamageError
            If the entry has no such file.
        """
        for file in self.manifest.attachments:
            if file.name == name:
                return Kept(self.directory / name, file.digest)
        raise DamageError(f"{name} is missing", self.directory / name)

    def require_sound(self) -> None:
        """Read all files of the entry, and make sure that each has what was written there.

        Raises
        ------
        DamageError
            Naming the first that has not.
        """
        for file in (*self.manifest.parts, *self.manifest.attachments):
            require_kept(Kept(self.directory / file.name, file.digest))


class Draft:
    """An entry being written: workers write its parts, the process that began it commits or drops it.

    Parameters
    ----------
    key
        Key of the entry to be.
    drafts
        The folder of drafts.
    durable
        Whether it is to be there after a crash of the machine: then all of it is on the disk before it is complete.

    Attributes
    ----------
    key
        Key of the entry to be.
    directory
        Where the parts go: hand this, or `part_path`, to the workers.
    """

    def __init__(self, key: str, drafts: Path, *, durable: bool = True) -> None:
        self.key, self._durable = key, durable
        self.directory = drafts / f"{key[:16]}.{uuid4().hex}"
        self._owner = HeldLock(self.directory / OWNER)

    def part_path(self, index: int, suffix: str = ".parquet") -> Path:
        """Return where part `index` (from 0) goes; write it beside, then rename, as `parts.write_part` does."""
        return self.directory / f"part-{index:06d}{suffix}"

    def complete(
        self,
        *,
        stage: str,
        params: Mapping[str, Any],
        part_rows: Sequence[int],
        ledger: Mapping[str, Any],
        written: Sequence[Written] | None = None,
        suffix: str = ".parquet",
    ) -> Manifest:
        """Check that every part is there, flush all to the disk (if it is durable) and write the manifest.

        What was `written` as each part is noted; where that is not known, what each has now. The parts' names end with
        the `suffix`.

        Other files in the folder are attached to the entry, except those whose names begin with a dot. A worker
        that died had half written these: they go, and so do parts beyond those named.

        Raises
        ------
        DamageError
            If a part is missing.
        """
        parts = []
        for index, rows in enumerate(part_rows):
            path = self.part_path(index, suffix)
            if not path.is_file():
                raise DamageError(f"{path.name} of {len(part_rows)} parts was never written")
            known = note_part(path, rows) if written is None else written[index]._replace(rows=rows)
            if self._settle(path) != known.bytes:
                raise DamageError(f"{path.name} has not the {known.bytes} bytes that were written there", path)
            parts.append(Part(name=path.name, **known._asdict()))
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
        (self.directory / MANIFEST).write_bytes(seal(manifest))
        self._settle(self.directory / MANIFEST)
        self._settle(self.directory)
        return manifest

    def _settle(self, path: Path) -> int:
        """Have a file on the disk, if it must be there; return its bytes."""
        return _flush(path) if self._durable else path.stat().st_size

    def _attach(self, parts: set[str]) -> tuple[File, ...]:
        attachments = []
        for path in sorted(self.directory.iterdir()):
            if path.name in parts or path.name == OWNER:
                continue
            if path.name.startswith((".", "part-")):
                path.unlink()
            else:
                attachments.append(File(name=path.name, bytes=self._settle(path), digest=hash_file(path)))
        return tuple(attachments)

    def publish(self, place: Path) -> None:
        """Give the completed draft its place among the entries, which must be free."""
        self._owner.release()
        place.parent.mkdir(exist_ok=True)
        self.directory.rename(place)
        self._settle(place.parent)

    def drop(self) -> None:
        """Remove what was written; nothing is left to remove once it is published."""
        try:
            delete_folder(self.directory)
        finally:
            self._owner.release()

    def __enter__(self) -> Self:
        """Return the draft."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Drop the draft unless it was published; where the block failed, its own error is told.

        Workers of a scheduler that was lost may still write there: the rest then goes as that of a run that crashed.
        """
        try:
            self.drop()
        except OSError:
            if kind is None:
                raise


def read_entry(place: Path) -> Entry | None:
    """Read the entry in a folder, and check its manifest and the sizes of its files; None if there is no folder.

    Raises
    ------
    OutdatedError
        If another version of cdpipe made it.
    DamageError
        If its manifest cannot be read or is not what was written, or a file is missing or of another size.
    """
    try:
        manifest = open_sealed((place / MANIFEST).read_bytes())
    except FileNotFoundError:
        if place.is_dir():
            raise DamageError(f"{MANIFEST} is missing") from None
        return None
    except OSError as error:
        raise DamageError(f"{MANIFEST} cannot be read ({error.strerror})") from None
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
