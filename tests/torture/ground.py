"""Ground: a temporary folder with inputs, the fork server, and places in which runs are tortured."""

import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

import cdpipe
from cdpipe.engine.cache.store import CacheParams, Store
from cdpipe.synthetic.generator import SynthParams, synthesize

from .crashpoints import Fault
from .server import MARK
from .tally import Tally

ROWS: Final = 3000
PARTS: Final = 4
_BAD_LINES: Final = ("only,two", "1" + ",x" * 40, '"never closed' + "," * 19)
_LONG_AGO_SECONDS: Final = 3600
_END_SECONDS: Final = 20.0
"""How long a process of a dead run may live on."""

OURS: Final = {
    "out/confusion_mine.png": b"a picture of somebody's own",
    "out/.scratch-notes/x": b"a note",
    "out/notes.txt": b"notes",
    "out/dataset-old/part-000000.parquet": b"an older data set",
    "cache/drafts/novel": b"a novel",
    "cache/trash/x": b"kept after all",
    "cache/ab/photos": b"photos",
    "cache/pins/list": b"a list",
    "tmp/cdpipe-spill-notes/x": b"notes on spilling",
    "tmp/notes.txt": b"notes",
}
"""Files of the user's own beside those of runs: no run may touch them."""


class Ended(NamedTuple):
    """How a run ended: its status as of `subprocess`, seconds, whether it had to be ended, and what it said."""

    status: int
    seconds: float
    hangs: bool
    said: str

    @property
    def explains_itself(self) -> bool:
        """Whether it failed with one message of its own."""
        return self.status == 1 and self.said.count("cdpipe: ") == 1 and "Traceback" not in self.said


@dataclass
class Place:
    """An output folder, a cache and a temporary folder, with files of the user's own in each."""

    ground: "Ground"
    root: Path
    tables: dict[str, Any] = field(default_factory=dict)
    cache: Path | None = None

    def __post_init__(self) -> None:
        for name in ("out", "tmp"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self.cache = self.cache or self.root / "cache"
        with Store(CacheParams(directory=self.cache)):
            pass
        self.plant()

    def plant(self) -> None:
        """Put the user's own files there, in place of what became of them."""
        for name, content in OURS.items():
            path = self.root / name
            if name.startswith("cache/") and self.cache != self.root / "cache":
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.own = self.digest_own()

    @property
    def out(self) -> Path:
        """The output folder."""
        return self.root / "out"

    def digest_own(self) -> dict[str, tuple[str, int, int] | None]:
        """Return what each of the user's own files is: its content's digest, mode and time of change."""
        found: dict[str, tuple[str, int, int] | None] = {}
        for name in OURS:
            path = self.root / name
            with suppress(FileNotFoundError, NotADirectoryError):
                status = path.stat()
                found[name] = (hashlib.sha256(path.read_bytes()).hexdigest(), status.st_mode, status.st_mtime_ns)
        return found

    def asked(
        self, source: Path, *, fault: Fault | None = None, kill_after: float | None = None, **tables: Any
    ) -> dict[str, Any]:
        """Return what to ask the server for: a run of an input in this place."""
        given: dict[str, Any] = {
            "input": {"paths": [str(source)]},
            "gather": {"block_mb": self.ground.block_mb[source]},
            "cache": {"directory": str(self.cache)},
            "output": {"directory": str(self.out)},
            "train": {"classifiers": ["DecisionTree"], "trees": 2, "split": "row"},
        }
        for name, table in (self.tables | tables).items():
            given[name] = {**given.get(name, {}), **table} if isinstance(table, dict) else table
        config = self.root / f"{source.stem}.json"
        config.write_text(json.dumps(given))
        log = str(self.root / f"{source.stem}.log")
        return {
            "config": str(config),
            "log": log,
            "tmp": str(self.root / "tmp"),
            "fault": fault,
            "kill_after": kill_after,
        }

    def forget(self) -> None:
        """Empty the cache, but for what marks it and the user's own files."""
        assert self.cache is not None
        kept = {self.root / name for name in OURS} | {self.cache / "CACHEDIR.TAG", self.cache / "lock"}
        for path in sorted(self.cache.rglob("*"), reverse=True):
            if path in kept or any(path in each.parents for each in kept):
                continue
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    def restore(self, results: Path | None) -> None:
        """Replace the results in the output folder by earlier ones, or by none."""
        kept = {Path(name).parts[1] for name in OURS if name.startswith("out/")}
        for path in self.out.iterdir():
            if path.name not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if results is not None:
            shutil.copytree(results, self.out, dirs_exist_ok=True)

    def age(self) -> None:
        """Make drafts of dead runs as old as those that the next run removes."""
        assert self.cache is not None
        then = time.time() - _LONG_AGO_SECONDS
        for path in (self.cache / "drafts").rglob("*"):
            if path.relative_to(self.cache).as_posix() != "drafts/novel":
                os.utime(path, (then, then))

    def find_leftovers(self, expected: Sequence[str]) -> list[str]:
        """Return what is there beside results of the given names and the user's own files."""
        assert self.cache is not None
        own = set(OURS) | {parent.as_posix() for name in OURS for parent in Path(name).parents}
        places = [self.out, self.root / "tmp"]
        if self.cache == self.root / "cache":
            places += [self.cache / room for room in ("drafts", "pins", "trash")]
        found = []
        for place in places:
            for path in place.rglob("*"):
                name = path.relative_to(self.root).as_posix()
                if name not in own and name not in expected:
                    found.append(name)
        return sorted(found)

    def find_touched(self) -> list[str]:
        """Return which of the user's own files are not what they were; they are then put there again."""
        now = self.digest_own()
        found = [name for name, was in self.own.items() if now.get(name) != was]
        if found:
            self.plant()
        return found


class Reference(NamedTuple):
    """What a run without disturbance publishes: by name each file's digest, accounts and metrics; and where it is."""

    results: dict[str, str]
    names: tuple[str, ...]
    kept: Path


class Ground:
    """The folder, the server and what it was asked; see `open_ground`."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.seed = root, seed
        self.mark = root.name
        self.random = random.Random(seed)
        self.block_mb: dict[Path, float] = {}
        self._references: dict[tuple[Path, str], Reference] = {}
        self.source, self.earlier = (
            self.write_messages(name, seed=draw) for draw, name in enumerate(("messages", "earlier"))
        )
        self.empty = root / "empty.csv"
        self.empty.write_bytes(gzip.decompress(self.source.read_bytes()).partition(b"\n")[0] + b"\n")
        self.block_mb[self.empty] = 1.0
        places = [str(Path(cdpipe.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = os.environ | {"PYTHONPATH": os.pathsep.join(places), MARK: self.mark}
        self.server = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.server", str(self.source)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=self.environment,
        )
        assert self.server.stdout is not None
        if self.server.stdout.readline() != "ready\n":
            raise RuntimeError("the fork server did not start; see above")

    def write_messages(self, name: str, *, seed: int, rows: int = ROWS, blocks: int = PARTS) -> Path:
        """Write messages as packed CSV, with lines among them that are no records."""
        plain = self.root / f"{name}.csv"
        synthesize(plain, SynthParams(rows=rows, seed=seed, dirty_share=0.05))
        lines = plain.read_text().splitlines()
        for place in range(100, len(lines), 100):
            lines[place] = _BAD_LINES[place // 100 % len(_BAD_LINES)]
        data = "\n".join(lines).encode() + b"\n"
        packed = plain.with_name(f"{name}.csv.gz")
        packed.write_bytes(gzip.compress(data))
        plain.unlink()
        self.block_mb[packed] = len(data) / 1e6 / blocks * 1.02
        return packed

    def run(self, *asked: dict[str, Any]) -> list[Ended]:
        """Have the server run all of them at once, and return how they ended, in order."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps({"runs": asked}) + "\n")
        self.server.stdin.flush()
        answers = json.loads(self.server.stdout.readline())
        return [
            Ended(answer["status"], answer["seconds"], answer.get("hangs", False), _read(each["log"]))
            for each, answer in zip(asked, answers, strict=True)
        ]

    def refer(self, source: Path, **tables: Any) -> Reference:
        """Run an input without disturbance, twice in two places, and return what both publish.

        Raises
        ------
        RuntimeError
            If they fail or differ.
        """
        if known := self._references.get((source, str(tables))):
            return known
        found = []
        for again in range(2):
            place = self.make_place(f"reference-{source.stem}-{again}", tables=tables)
            [ended] = self.run(place.asked(source))
            if ended.status != 0:
                raise RuntimeError(f"a run without disturbance failed: {ended.said}")
            found.append((place, digest_results(place.out)))
        (place, results), (_, others) = found
        if results != others:
            differing = [name for name in results | others if results.get(name) != others.get(name)]
            raise RuntimeError(f"two runs without disturbance differ in {', '.join(differing)}")
        own = {Path(name).relative_to("out").as_posix() for name in OURS if name.startswith("out/")}
        kept = self.root / f"kept-{len(self._references)}"
        names = []
        for path in sorted(place.out.rglob("*")):
            name = path.relative_to(place.out).as_posix()
            if name in own or any(each.startswith(f"{name}/") for each in own):
                continue
            names.append(f"out/{name}")
            if path.is_file():
                (kept / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, kept / name)
        return self._references.setdefault((source, str(tables)), Reference(results, tuple(names), kept))

    def make_place(self, name: str, *, tables: dict[str, Any] | None = None, cache: Path | None = None) -> Place:
        """Make a place of that name; one that was there before goes."""
        root = self.root / name
        shutil.rmtree(root, ignore_errors=True)
        return Place(self, root, tables or {}, cache)

    def find_processes(self) -> list[psutil.Process]:
        """Find processes that runs have started and that are still there: those of dead runs, once none runs."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                environment = Path(f"/proc/{process.pid}/environ").read_bytes()
                marked = f"{MARK}={self.mark}".encode() in environment.split(b"\0")
                if marked and process.pid != self.server.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def await_end(self) -> list[str]:
        """Wait until no process of a dead run is left; return those that stay, which are ended."""
        deadline = time.monotonic() + _END_SECONDS
        while (left := self.find_processes()) and time.monotonic() < deadline:
            psutil.wait_procs(left, timeout=0.2)
        said = []
        for process in left:
            with suppress(psutil.NoSuchProcess):
                said.append(f"process {process.pid} ({' '.join(process.cmdline())[:80]})")
                process.kill()
        return said

    def close(self) -> None:
        """End the server, and what it may have left."""
        assert self.server.stdin is not None
        self.server.stdin.close()
        try:
            self.server.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        assert self.server.stdout is not None
        self.server.stdout.close()
        for process in self.find_processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()


def check(tally: Tally, place: Place, ended: Ended, reference: Reference, where: str, *, again: dict[str, Any]) -> None:
    """Judge the run after a disturbance: it ends well, publishes what it should and leaves nothing but that.

    Parameters
    ----------
    again
        The same run, to see whether what fails fails twice.
    """
    if ended.status != 0:
        tally.note("wrong", [f"the next run ended with {ended.status}: {last_line(ended.said)}"], where)
        [second] = place.ground.run(again)
        if second.status != 0:
            tally.note("twice", [f"so did the one after it: {last_line(second.said)}"], where)
            return
    else:
        found = digest_results(place.out)
        names = sorted(name for name in found | reference.results if found.get(name) != reference.results.get(name))
        tally.note("unnoticed", [f"differs: {name}" for name in names], where)
    tally.note("leftovers", place.find_leftovers(reference.names), where)
    tally.note("touched", place.find_touched(), where)


def judge_state(place: Place, old: Reference, new: Reference) -> list[str]:
    """Return what is wrong with an output folder that must hold all of the old results, or all of the new ones."""
    found = digest_results(place.out)
    if found in (old.results, new.results):
        return []
    as_old = sorted(name for name in found if found[name] == old.results.get(name))
    as_new = sorted(name for name in found if found[name] == new.results.get(name))
    missing = sorted(name for name in old.results if name not in found)
    return [f"of the old results {as_old}, of the new {as_new}, missing {missing}"]


def digest_results(out: Path) -> dict[str, str]:
    """Return, by name, what says that results are the same: a digest of each file, of the report what does not vary."""
    found = {}
    for path in [*out.glob("dataset/*"), *out.glob("*.jsonl"), *out.glob("confusion_*.png")]:
        name = path.relative_to(out).as_posix()
        if f"out/{name}" not in OURS and path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    with suppress(FileNotFoundError):
        report = json.loads((out / "report.json").read_text())
        for each in (report["training"] or {}).get("classifiers", ()):
            for seconds in ("fit_s", "predict_s"):
                each.pop(seconds, None)
        said = json.dumps([report["ledgers"], report["training"], report["failed"]], sort_keys=True)
        found["report.json"] = hashlib.sha256(said.encode()).hexdigest()
    return found


def last_line(said: str) -> str:
    """Return the last line that was said, which names the error."""
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing was said"


@contextmanager
def open_ground(seed: int, folder: Path | None = None) -> Iterator[Ground]:
    """Make the ground in a temporary folder; the folder and all processes are gone at the end."""
    with tempfile.TemporaryDirectory(prefix="torture-", dir=folder) as root:
        ground = Ground(Path(root).resolve(), seed)
        try:
            yield ground
        finally:
            ground.close()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except FileNotFoundError:
        return ""
