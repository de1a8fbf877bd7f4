"""Outputs on an object store: a manifest, written last, names what is there; what it does not name is not there.

Each run puts its objects under a prefix of its own. One request then replaces the manifest, so a reader finds all of
one run or all of the other. An object store has no locks: of two machines at once the later one counts, whole.
"""

import json
import os
import platform
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import psutil

from cdpipe.engine.files.byte_ranges import real_path
from cdpipe.engine.files.digests import Kept, copy_kept, read_kept
from cdpipe.engine.files.own_folders import own_folder
from cdpipe.engine.files.partitions import PARTS, split_part
from cdpipe.engine.files.rejects import REJECTS
from cdpipe.engine.files.seals import FILES, digest_bytes, digest_file, open_seal, seal
from cdpipe.engine.outputs.object_store import ObjectStore, StoreError
from cdpipe.engine.outputs.output_folder import DATASET, FAILED, REPORT, OutputError, explain_foreign, explain_input
from cdpipe.interrupts import uninterrupted
from cdpipe.probe.system.counters import describe_process

MANIFEST: Final = "manifest.json"
FAILED_MANIFEST: Final = f"{FAILED}.json"
"""Names what a run that made no data set has to say; the next run that makes one removes it."""

_RUN: Final = re.compile(r"run-[0-9a-f]{32}")
_OWNER: Final = "owner.json"
"""Put below a run's prefix before anything else, and removed at its end: who works on it."""

_OBJECT: Final = re.compile(
    rf"{DATASET}/{PARTS}|{re.escape(REJECTS)}|{re.escape(REPORT)}|{re.escape(_OWNER)}|confusion_[A-Za-z]+\.png"
    r"|evaluation_[a-z]+\.(csv|tex|png)|predictions\.parquet"
)
"""What a run puts below its prefix."""

_ABANDONED: Final = timedelta(days=1)
"""So old is what a run of another machine left, if nothing names it: from here nobody can see whether it lives."""

_SAME_S: Final = 0.1
"""Beginnings of a process so close to each other are one."""

_SENDERS: Final = 4
_LIVING: Final[set[str]] = set()
"""Prefixes of the runs of this process."""


class _Named(NamedTuple):
    """What a manifest names: the run's prefix, its objects, and the runs whose place it took."""

    run: str
    objects: Collection[str]
    replaced: Collection[str] = ()


class ObjectFolder:
    """A URL below which a run puts its results.

    Parameters
    ----------
    url
        fsspec URL, such as `s3://bucket/study`.
    """

    def __init__(self, url: str) -> None:
        self.store = ObjectStore(url)
        self.run = f"run-{uuid4().hex}"
        """Prefix of this run's objects."""

    def refuse_others(self, paths: Sequence[str], *, names: Collection[str]) -> None:
        """Refuse a run that reads what it would remove; `names` are of no matter, for results replace nothing.

        Raises
        ------
        OutputError
            Naming the input.
        """
        del names
        with _explaining():
            root = self.store.spell()
        for path in paths:
            place = real_path(path.rpartition("::")[2])
            if place.startswith(f"{root}/") and _RUN.fullmatch(place.removeprefix(f"{root}/").partition("/")[0]):
                raise explain_input(path)

    def take(self, held: ExitStack, opened: ExitStack) -> Path:
        """Begin: see that objects can be put there, remove what dead runs left, and make a scratch folder here.

        Parameters
        ----------
        held, opened
            Get what ends with the run: the scratch folder, and the object that says who works there.

        Raises
        ------
        OutputError
            If nothing can be put there, another run of this machine is at work there, or a manifest is not of a run.
        """
        opened.enter_context(self._begin())
        return _take_scratch(held)

    def results(self, scratch: Path) -> "ObjectResults":
        """Return the results of this run; there are none yet."""
        return ObjectResults(self, scratch)

    @contextmanager
    def _begin(self) -> Iterator[None]:
        process = psutil.Process()
        owner = {"host": platform.node(), "machine": _machine(), "process": process.pid, "started": began(process)}
        _LIVING.add(self.run)
        try:
            with _explaining():
                self.store.put(f"{self.run}/{_OWNER}", json.dumps(owner).encode())
                self._remove_dead()
            yield
        finally:
            with suppress(StoreError):  # what cannot be removed now is left to the next run
                self._end()
            _LIVING.discard(self.run)

    def _end(self) -> None:
        """Remove what nobody needs any more: of a run whose results are there, only who works on it."""
        manifests = (open_seal(self.store.read(name) or b"") for name in (MANIFEST, FAILED_MANIFEST))
        is_named = any(said is not None and said.get("run") == self.run for said in manifests)
        self.remove(_Named(self.run, [_OWNER] if is_named else self._find(self.run)))

    def find_named(self, manifest: str) -> _Named | None:
        """Return what a manifest names; None if there is none.

        Raises
        ------
        OutputError
            If it is not of a run.
        StoreError
            If it cannot be read.
        """
        data = self.store.read(manifest)
        if data is None:
            return None
        said = open_seal(data)
        if said is None or not _RUN.fullmatch(str(said.get("run"))):
            raise explain_foreign(f"{self.store.url}/{manifest}")
        return _Named(said["run"], said[FILES], said.get("replaced", ()))

    def remove(self, named: _Named) -> None:
        """Remove objects of a run, those that are there; others stay."""
        there = [f"{named.run}/{name}" for name in self._find(named.run) if name in named.objects]
        if there:
            self.store.remove(there)

    def _find(self, run: str) -> list[str]:
        """Return the names of what a run has put below its prefix; what has other names is somebody else's."""
        return [name for name in self.store.find(run) if _OBJECT.fullmatch(name)]

    def _remove_dead(self) -> None:
        """Remove what runs left that were killed, before their manifest or after."""
        manifests = self._read_manifests()
        named = {each.run for each in manifests}
        replaced = {run for each in manifests for run in each.replaced} - named
        others = [run for run in self.store.folders() if _RUN.fullmatch(run) and run != self.run]
        dead = [run for run in others if run in replaced or not self._is_living(run, is_named=run in named)]
        named = {each.run for each in self._read_manifests()}  # one that lived may have had itself named since
        for run in dead:
            with suppress(StoreError):  # who may write may not always remove
                self.remove(_Named(run, [_OWNER] if run in named else self._find(run)))

    def _read_manifests(self) -> list[_Named]:
        return [each for each in map(self.find_named, (MANIFEST, FAILED_MANIFEST)) if each]

    def _is_living(self, run: str, *, is_named: bool) -> bool:
        """Tell whether a run may still be at work; of one that a manifest names, whether its owner may.

        Raises
        ------
        OutputError
            If it is, on this machine.
        """
        owner = _read_owner(self.store.read(f"{run}/{_OWNER}"))
        pid = owner.get("process")
        if owner.get("machine") != _machine():
            left = [name for name in self._find(run) if name == _OWNER or not is_named]
            changed = (self.store.changed(f"{run}/{name}") for name in left)  # a request each, until one is young
            return any(each is None or datetime.now(UTC) - each < _ABANDONED for each in changed)
        if run in _LIVING or (pid != os.getpid() and _is_process(pid, owner.get("started"))):
            raise OutputError(
                f"{self.store.url}: another run writes there (process {pid} on {owner.get('host')}); wait for its end, "
                "or choose another output.directory"
            )
        return False


class ObjectResults:
    """What a run has made for a URL; nothing of it counts until `put` is called.

    Parameters
    ----------
    place
        Where it goes.
    scratch
        This run's scratch folder.
    """

    def __init__(self, place: ObjectFolder, scratch: Path) -> None:
        self._place = place
        self._sent: dict[str, int] = {}
        self._digests: dict[str, str] = {}
        self.folder = scratch / "results"
        """Where files of it are written; the data set is sent at once."""
        self.folder.mkdir()

    def add_dataset(self, parts: Sequence[Kept], *, partition_by: Sequence[str] = (), moves: bool = False) -> None:
        """Send the parts of the data set, instead of those sent before.

        Each is checked in memory, and what was checked is sent; four at a time.

        Parameters
        ----------
        parts, partition_by, moves
            As of `Results.add_dataset`; nothing is moved to another machine.

        Raises
        ------
        DamageError
            If a part has not what was written there.
        OutputError
            If the store does not take it, or there would be too many folders.
        """
        del moves
        with _explaining():
            self._place.remove(_Named(self._place.run, [*self._sent]))
        self._sent.clear()
        self._digests.clear()
        folders: set[str] = set()
        senders = ThreadPoolExecutor(_SENDERS)
        try:
            for _ in senders.map(lambda part: self._send_part(part, partition_by, folders), parts):
                pass
        finally:
            senders.shutdown(cancel_futures=True)

    def _send_part(self, part: Kept, partition_by: Sequence[str], folders: set[str]) -> None:
        if not partition_by:
            self._send(f"{DATASET}/{part.path.name}", read_kept(part))
            return
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as split:
            for path in split_part(part, partition_by, Path(split), folders=folders):
                self._send(f"{DATASET}/{path.relative_to(split).as_posix()}", path.read_bytes())

    def add_rejects(self, rejects: Kept) -> None:
        """Copy the rejected records; errors as of `add_dataset`."""
        copy_kept(rejects, self.folder / REJECTS)

    def has(self, name: str) -> bool:
        """Return True if something of that name was made."""
        return (self.folder / name).exists() or any(sent.startswith(f"{name}/") for sent in self._sent)

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each file, by name, but not those of the data set."""
        return {path.name: digest_file(path) for path in sorted(self.folder.iterdir())}

    def locate(self, name: str, *, failed: bool) -> str:
        """Return the URL that something of that name will have, of a run that failed too."""
        del failed
        return f"{self._place.store.url}/{self._place.run}/{name}"

    def put(self) -> None:
        """Send what is not sent yet, and have the manifest name all of it, instead of the results of the run before.

        Raises
        ------
        OutputError
            If the store does not take it, has not what was sent, or a manifest has come there that is not of a run.
        """
        self._put(MANIFEST, instead_of=(MANIFEST, FAILED_MANIFEST))

    def put_failed(self) -> None:
        """Send it, and have a manifest of its own name it; the results of the run before stay."""
        self._put(FAILED_MANIFEST, instead_of=(FAILED_MANIFEST,))

    def _put(self, manifest: str, *, instead_of: Collection[str]) -> None:
        place = self._place
        with _explaining():
            before = {name: named for name in instead_of if (named := place.find_named(name))}
            for path in sorted(self.folder.iterdir()):
                self._send(path.name, path.read_bytes())
            there = place.store.find(place.run)
            # Readers of the data set's folder take all that is in it, also what a first try has left there.
            place.remove(_Named(place.run, there.keys() - self._sent.keys() - {_OWNER}))
            for name, size in self._sent.items():
                if there.get(name) != size:
                    raise StoreError(f"{place.store.url}/{place.run}/{name}: is not there any more as it was sent")
            replaced = [each.run for each in before.values()]
            place.store.put(manifest, _write_manifest(place.run, replaced, self._sent, self._digests))
        with suppress(StoreError):  # the results are there; what cannot be removed now, nothing names
            if outdated := [name for name in before if name != manifest]:
                place.store.remove(outdated)
            for named in before.values():
                place.remove(named)

    def _send(self, name: str, data: bytes) -> None:
        with _explaining():
            self._place.store.put(f"{self._place.run}/{name}", data)
        self._sent[name] = len(data)
        self._digests[name] = digest_bytes(data)


def _write_manifest(run: str, replaced: Sequence[str], sizes: Mapping[str, int], digests: Mapping[str, str]) -> bytes:
    said = {"run": run, "replaced": replaced, "bytes": dict(sorted(sizes.items()))}
    said = seal(said, dict(sorted(digests.items())))
    return f"{json.dumps(said, indent=2)}\n".encode()


def _read_owner(data: bytes | None) -> dict[str, Any]:
    try:
        owner = json.loads(data or b"")
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _is_process(pid: object, started: object) -> bool:
    """Tell whether a process lives, and is the one that began then."""
    if not isinstance(pid, int) or not isinstance(started, int | float):
        return False
    try:
        found = psutil.Process(pid)
        is_same = abs(began(found) - started) < _SAME_S
        return is_same and found.status() != psutil.STATUS_ZOMBIE  # dead, but nobody asked yet how it ended
    except psutil.Error:
        return False


def _machine() -> str:
    """Return what tells machines apart, and containers that do not see each other's processes: names may be alike."""
    try:
        return describe_process().host
    except OSError:  # a system without /proc
        return platform.node()


def began(process: psutil.Process) -> float:
    """Return how many seconds after the machine a process began: clocks are set meanwhile, this is not."""
    return float(process.create_time() - psutil.boot_time())


@uninterrupted
def _take_scratch(held: ExitStack) -> Path:
    return held.enter_context(own_folder(Path(tempfile.gettempdir()), "cdpipe-results-"))


@contextmanager
def _explaining() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise OutputError(
            f"{error}; results go where you may write: check the URL, your credentials and rights, or set "
            "output.directory to a folder of this machine"
        ) from error
