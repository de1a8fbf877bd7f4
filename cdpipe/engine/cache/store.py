"""Outputs of stages kept on disk by what they depend on: written whole or not at all, bounded in size, shared safely.

Layout: `CACHEDIR.TAG` marks the folder; `<key[:2]>/<key>/` is an entry; `drafts/` has those being written, `pins/` what
live runs use, `trash/` what is being deleted, `series/` which entries may have parts for one another; `hits` and
`misses` have one byte a lookup.
"""

import errno
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

from pydantic import Field, field_validator

from cdpipe.engine.cache.cache_folder import DRAFTS, HITS, MISSES, PINS, ForeignFolderError, claim_folder
from cdpipe.engine.cache.entry import Draft, Entry, read_entry
from cdpipe.engine.cache.eviction import Removal, count_bytes, discard, in_place, remove_beyond, scan_entries
from cdpipe.engine.cache.identity import IdentityError, identify, key
from cdpipe.engine.cache.manifest import MANIFEST, OutdatedError
from cdpipe.engine.cache.series import add_to_series, read_series
from cdpipe.engine.cache.verification import Verdict, verify_entries
from cdpipe.engine.files.digests import DamageError
from cdpipe.engine.files.locks import HeldLock
from cdpipe.engine.files.parts import Written
from cdpipe.spelling import word_choice
from cdpipe.stages.params import Params

__all__ = [
    "CacheError",
    "CacheParams",
    "CacheWarning",
    "Draft",
    "Entry",
    "IdentityError",
    "Removal",
    "Store",
    "identify",
    "key",
]

GB: Final = 1e9


class CacheError(RuntimeError):
    """The cache cannot be used; the message names the path and the way out."""


class CacheWarning(UserWarning):
    """The cache works, but an entry was damaged or is too large to stay."""


class CacheParams(Params):
    """Whether, where and how much to keep."""

    enabled: bool = Field(default=True, description="keep outputs of stages, and take them from there next time")
    directory: Path | None = Field(default=None, description="default: cdpipe in XDG_CACHE_HOME, or in ~/.cache")
    limit_gb: float = Field(
        default=20.0, ge=1e-9, le=1e9, description="beyond this size the least recently used go, GB = 1e9 bytes"
    )
    stages: tuple[str, ...] = Field(default=("gather", "features"), description="stages whose output is kept")

    @field_validator("stages")
    @classmethod
    def _check_stages(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        from cdpipe.stages import STAGES  # noqa: PLC0415 - the stages load numba, which a cache needs only here
        from cdpipe.stages.gather.gather import NAME as GATHER  # noqa: PLC0415
        from cdpipe.stages.order import NAME as ORDERING  # noqa: PLC0415

        known = (GATHER, *(stage.name for stage in STAGES), ORDERING)
        for name in names:
            if name not in known:
                raise ValueError(f"{name!r} is no stage whose output can be kept: {word_choice(name, known)}")
        return names


class Store:
    """A cache folder, opened with its parameters; any number of stores and processes may share one.

    Close it (or use it in a `with` block): until then, what it gave stays on disk.

    Parameters
    ----------
    params
        Whether, where and how much to keep. Turned off, nothing is looked up and nothing is made on disk.
    durable
        Whether entries outlive a crash of the machine. Those in a folder that goes with the run need not: nothing of
        them waits for the disk.

    Raises
    ------
    CacheError
        If the folder cannot be made or written to, or holds what is no cache of cdpipe.
    """

    def __init__(self, params: CacheParams | None = None, *, durable: bool = True) -> None:
        self.params, self.durable = params or CacheParams(), durable
        try:
            self.directory = (self.params.directory or default_directory()).expanduser().absolute()
        except RuntimeError:  # pathlib's, of a home that there is none of
            named = self.params.directory or "~/.cache"
            raise CacheError(f"cache {named}: there is no such home; set cache.directory to an absolute path") from None
        self.limit_bytes = int(self.params.limit_gb * GB)
        self._pins: HeldLock | None = None
        self._used = False
        self._unwanted: set[str] = set()
        if self.params.enabled:
            with self._explained():
                claim_folder(self.directory)
            with self._explained(), in_place(self.directory):
                self._pins = HeldLock(self.directory / PINS / uuid4().hex)

    @property
    def mark(self) -> Path:
        """A file in the folder that is there as long as this is open: who finds it finds the folder."""
        return self._open_pins().path

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Release the entries in use, and evict what is then beyond the limit; who only looked on removes nothing."""
        if self._pins is not None:
            self._pins.release()
            self._pins = None
            if self._used:
                self.evict()

    def forget(self, keys: Iterable[str]) -> None:
        """Have entries removed, if they are there, as this store is closed; not those that other live runs use."""
        self._unwanted.update(keys)
        self._used = True

    def relatives(self, series: str) -> Iterator[Entry]:
        """Yield the newest entries of a series, the newest first; each then stays as one that was looked up."""
        if self._pins is None:
            return
        with self._explained():
            keys = read_series(self.directory, series)
        yield from (entry for entry in map(self._look, keys) if entry is not None)

    def lookup(self, key: str, *, counted: bool = True) -> Entry | None:
        """Return the entry of a key, or None, and count a hit or a miss (unless that is not wanted).

        The entry counts as used now, and stays until this store is closed. A damaged one (a part missing or of
        another size, a manifest that is not what was written) is removed with a `CacheWarning` and counts as a miss;
        what the files hold is for whoever reads them to check, with the digests of the manifest.
        """
        if self._pins is None:
            return None
        entry = self._look(key)
        if counted:
            with self._explained():
                _append_byte(self.directory / (MISSES if entry is None else HITS))
        return entry

    def _look(self, key: str) -> Entry | None:
        """Return the entry of a key, which then is used and stays, or None."""
        damage = entry = None
        pins = self._open_pins()
        with self._explained(), in_place(self.directory):
            try:
                entry = read_entry(self._place(key))
            except DamageError as error:
                damage = error
            if entry is not None:
                self._used = True
                pins.append(key)
                os.utime(entry.directory / MANIFEST)
        if damage is not None:
            self.discard(key, damage)
        return entry

    def discard(self, key: str, damage: DamageError) -> None:
        """Take an entry away that turned out to be damaged, with a `CacheWarning`.

        One that is sound stays: another process has put it where the damaged one was.
        """
        if not isinstance(damage, OutdatedError) and _is_sound(self._place(key)):
            return
        with self._explained():
            discard(self.directory, self._place(key))
        why = "is of another version of cdpipe" if isinstance(damage, OutdatedError) else "was damaged"
        warnings.warn(f"cache entry {key} {why} and is gone: {damage}", CacheWarning, stacklevel=3)

    def verify(self) -> Iterator[Verdict]:
        """Read every entry wholly, and remove those that are damaged unless a live run uses them."""
        return verify_entries(self.directory)

    def begin(self, key: str) -> Draft:
        """Begin an entry in a folder of its own, to be committed, or dropped (at the end of a `with` block).

        Raises
        ------
        CacheError
            If the folder cannot be written to, or the store is closed or turned off.
        """
        self._open_pins()
        with self._explained():
            return Draft(key, self.directory / DRAFTS, durable=self.durable)

    def commit(
        self,
        draft: Draft,
        *,
        stage: str,
        params: Mapping[str, Any],
        part_rows: Sequence[int],
        ledger: Mapping[str, Any],
        written: Sequence[Written] | None = None,
        series: str | None = None,
        lasting: bool = True,
        suffix: str = ".parquet",
    ) -> Entry:
        """Make a draft the entry of its key, whole or not at all, then evict what is beyond the limit.

        One that is not `lasting` (`forget` is to follow) counts toward the limit only as the store is closed. With a
        `series` it is the newest entry of that.

        If another process committed that key first, its entry is returned and this draft dropped. All parts are
        written by now; `part_rows` has the rows of each, in order, and `written` what was written, where that is
        known. Their names end with the `suffix`. `params` and `ledger` are JSON-able.

        Raises
        ------
        CacheError
            If a part is missing, or the folder cannot be written to.
        """
        pins, self._used = self._open_pins(), True
        with self._explained(), draft:
            manifest = draft.complete(
                stage=stage, params=params, part_rows=part_rows, ledger=ledger, written=written, suffix=suffix
            )
            place = self._place(draft.key)
            with in_place(self.directory):
                pins.append(draft.key)
                entry = self._publish(draft, place)
                if series is not None:
                    add_to_series(self.directory, series, draft.key)
        if not lasting:
            return entry
        if manifest.bytes > self.limit_bytes:
            warnings.warn(
                f"cache entry of {stage!r} has {manifest.bytes / GB:.3g} GB, more than limit_gb = "
                f"{self.params.limit_gb:g}: it serves this run and is then removed; raise limit_gb to keep it",
                CacheWarning,
                stacklevel=2,
            )
        self.evict()
        return entry

    def evict(self) -> Removal:
        """Remove the least recently used entries until the rest is within the limit; never one that a live run uses.

        An entry larger than the limit goes first: removing all others would not make room for it. What crashed
        runs left behind goes too. What live runs hold beyond the limit goes when they end.

        Raises
        ------
        CacheError
            If something cannot be deleted.
        """
        with self._explained():
            return remove_beyond(self.directory, self.limit_bytes, unwanted=() if self._pins else self._unwanted)

    def clear(self) -> Removal:
        """Remove every entry that no live run uses, and count hits and misses anew."""
        with self._explained():
            for name in (HITS, MISSES):
                (self.directory / name).unlink(missing_ok=True)
            return remove_beyond(self.directory, 0)

    def info(self) -> dict[str, Any]:
        """Return directory, entries, bytes, hits, misses, hit_rate (None if never asked), by_stage."""
        by_stage: dict[str, dict[str, int]] = {}
        usages = list(scan_entries(self.directory))
        counted: set[int] = set()
        for usage in usages:
            try:
                entry = read_entry(usage.place)
                stage = entry.manifest.stage if entry is not None else "gone"
            except DamageError:
                stage = "damaged"
            count = by_stage.setdefault(stage, {"entries": 0, "bytes": 0})
            count["entries"] += 1
            count["bytes"] += sum(size for inode, size in usage.files.items() if inode not in counted)
            counted |= usage.files.keys()
        hits, misses = _size(self.directory / HITS), _size(self.directory / MISSES)
        return {
            "directory": str(self.directory),
            "entries": len(usages),
            "bytes": count_bytes(usages),
            "hits": hits,
            "misses": misses,
            "hit_rate": hits / (hits + misses) if hits + misses else None,
            "by_stage": by_stage,
        }

    def _place(self, key: str) -> Path:
        return self.directory / key[:2] / key

    def _open_pins(self) -> HeldLock:
        if self._pins is None:
            raise CacheError(f"cache {self.directory} is closed, or turned off (cache.enabled = false)")
        return self._pins

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DamageError as error:
            raise CacheError(f"nothing was cached in {self.directory}: {error}") from None
        except ForeignFolderError as error:
            raise CacheError(
                f"cache {error} in cache.directory, or turn the cache off with cache.enabled = false"
            ) from None
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                remedy = "free some space, lower cache.limit_gb, or set cache.directory to another disk"
            else:
                remedy = "make it writable, set cache.directory elsewhere, or turn it off with cache.enabled = false"
            reason = f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
            raise CacheError(f"cache {self.directory} cannot be used ({reason}); {remedy}") from error

    def _publish(self, draft: Draft, place: Path) -> Entry:
        """Put a completed draft in its place, unless a sound entry is or arrives there."""
        while True:
            try:
                entry = read_entry(place)
            except DamageError:
                discard(self.directory, place)
                continue
            if entry is not None:
                return entry
            try:
                draft.publish(place)
            except OSError as error:
                if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
                    raise


def default_directory() -> Path:
    """Return cdpipe's folder in `XDG_CACHE_HOME` if that is an absolute path, else in `~/.cache`."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "cdpipe"


def _is_sound(place: Path) -> bool:
    """Return True if an entry is there and all that was written to it."""
    try:
        entry = read_entry(place)
        if entry is not None:
            entry.require_sound()
    except DamageError:
        return False
    return entry is not None


def _append_byte(path: Path) -> None:
    """Count one: appending is atomic between processes, and a length cannot be half written."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(descriptor, b".")
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
