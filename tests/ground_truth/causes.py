"""The causal check: make one resource scarcer at a time, and see whether the class says which one hurts most."""

import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from cdpipe.engine.sessions.base import Session
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.perf.analysis.attribution import attribute
from cdpipe.perf.analysis.bounds import Bound
from cdpipe.probe.probe import probe

from .disks import can_throttle, throttled
from .measuring import describe_shares, read_figures
from .outside import drop_cached
from .stages import STAGES, Place, write_input

SIZES: Final = (3_000_000, 6_000_000)
SLOW_TEXT_ROWS: Final = 1_000_000
SLOW_STORED_ROWS: Final = 3_000_000
"""On a slow disk. Stored messages have a fraction of the size, and half a second is too short for a throttled disk."""

SLOW: Final = 3
"""On a slow disk reading the input takes so many times as long as the whole run on this machine's own."""

LEAST_ROUNDS, MOST_ROUNDS, ROUNDS_S = 2, 8, 6.0
"""As many rounds as take the run without a tax so long: of a short one, a moment of others' work is a large part."""

NAMED: Final = 3
"""So many runs without a tax are probed; like the times, the class is that of the shortest."""

PARTITIONS: Final = 4
"""Two for each slot."""

SPLIT: Final = 10

CORES, DISK, SPLITS = "half the cores", "half the disk", f"{SPLIT} times the partitions"
PREDICTED: Final[Mapping[Bound, str]] = {
    Bound.COMPUTE: CORES,
    Bound.LOCK: "none",
    Bound.DISK: DISK,
    Bound.SCHEDULER: SPLITS,
    Bound.PARALLELISM: "none",
}
"""By class, the tax that hurts most; *none* is of those that halving none of these resources makes much slower."""

LITTLE: Final = 1.3
"""A tax that makes a run less than so many times as slow hurts little."""


@dataclass(frozen=True)
class Cell:
    """One stage at one size: its class without a tax, and how many times as long each tax makes it take."""

    stage: str
    rows: int
    slow: bool
    bound: Bound
    shares: Mapping[str, float]
    seconds: float
    slowdowns: Mapping[str, float]

    @property
    def predicted(self) -> str:
        """The tax that the class says hurts most; empty if it says nothing."""
        return PREDICTED.get(self.bound, "")

    @property
    def measured(self) -> str:
        """The tax that hurts most."""
        worst = max(self.slowdowns, key=self.slowdowns.__getitem__)
        return worst if self.slowdowns[worst] >= LITTLE else "none"


@contextmanager
def on_one_core() -> Iterator[None]:
    """Keep all threads of this process on one core."""
    cores = os.sched_getaffinity(0)
    _pin({min(cores)})
    try:
        yield
    finally:
        _pin(cores)


def _pin(cores: set[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)


def measure_disk(files: list[Path]) -> int:
    """Return how many bytes a second the disk gives when files are read cold, in the order they lie there."""
    for path in files:
        drop_cached(path)
    size, buffer, start_s = 0, bytearray(4 << 20), time.perf_counter()
    for path in files:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                size += count
    return int(size / (time.perf_counter() - start_s))


class Check:
    """One stage at one size, on this machine's disk or a slow one."""

    def __init__(self, stage: str, rows: int, folder: Path, session: Session, *, slow: bool) -> None:
        self.stage, self.rows, self.slow, self._folder, self._session = stage, rows, slow, folder, session
        self._kind, self._run = STAGES[stage]
        self._plain, self._split = self._place(PARTITIONS), self._place(SPLIT * PARTITIONS)

    def _place(self, partitions: int) -> Place:
        path = write_input(self._kind, self.rows, partitions, self._folder)
        return Place(path, partitions, self._folder / "out")

    def measure(self) -> Cell:
        """Run without and with each tax, in turns; times are the shortest of each."""
        plain = self._plain
        self._time(plain)  # compiles kernels
        disk_bps = measure_disk(plain.files)
        if self.slow:
            disk_bps = int(sum(path.stat().st_size for path in plain.files) / (SLOW * self._time(plain)))

        def disk() -> AbstractContextManager[Any]:
            return self._limited(disk_bps) if self.slow else nullcontext()

        taxes: dict[str, tuple[Place, tuple[Callable[[], AbstractContextManager[Any]], ...]]] = {
            "": (plain, (disk,)),
            CORES: (plain, (disk, on_one_core)),
            SPLITS: (self._split, (disk,)),
        }
        if can_throttle():
            taxes[DISK] = (plain, (lambda: self._limited(disk_bps // 2),))
        times: dict[str, list[float]] = {name: [] for name in taxes}
        while not _is_enough(times[""]):
            for name, (place, levied) in taxes.items():
                with ExitStack() as stack:
                    for tax in levied:
                        stack.enter_context(tax())
                    times[name].append(self._time(place))
        seconds = min(times.pop(""))
        with disk():
            _wall, bound, shares = min((self._name(plain) for _ in range(NAMED)), key=itemgetter(0))
        slowdowns = {name: min(found) / seconds for name, found in times.items()}
        return Cell(self.stage, self.rows, self.slow, bound, shares, seconds, slowdowns)

    def _limited(self, disk_bps: int) -> AbstractContextManager[Any]:
        return throttled(self._folder, [os.getpid()], read_bps=disk_bps, write_bps=disk_bps)

    def _time(self, place: Place) -> float:
        _forget(place)
        start_s = time.perf_counter()
        self._run(self._session, place)
        return time.perf_counter() - start_s

    def _name(self, place: Place) -> tuple[float, Bound, Mapping[str, float]]:
        """Run without a tax under the probe: seconds, class and shares."""
        _forget(place)
        with probe(self._session) as used:
            self._run(self._session, place)
        named = attribute(read_figures(used))
        bound = Bound.INSUFFICIENT if named is None else named.bound
        return used.wall_seconds or math.inf, bound, dict(used.shares or {})


def _is_enough(seconds: Sequence[float]) -> bool:
    """Say whether runs that took so long are enough rounds."""
    return len(seconds) >= MOST_ROUNDS or (len(seconds) >= LEAST_ROUNDS and sum(seconds) >= ROUNDS_S)


def _forget(place: Place) -> None:
    """Have the input on the disk alone, and no output."""
    shutil.rmtree(place.out, ignore_errors=True)
    for path in place.files:
        drop_cached(path)


def check_all(stages: Sequence[str]) -> Iterator[Cell]:
    """Check stages at every size, and on a slow disk where there can be one; yield each as it is checked."""
    if not stages:
        return
    with open_session(SessionParams(threads_per_worker=2)) as session:
        for stage in stages:
            slow_rows = SLOW_TEXT_ROWS if STAGES[stage][0] == "csv" else SLOW_STORED_ROWS
            for rows, slow in [(rows, False) for rows in SIZES] + [(slow_rows, True)] * can_throttle():
                yield check_one(stage, rows, session, slow=slow)


def check_one(stage: str, rows: int, session: Session, *, slow: bool) -> Cell:
    """Check one stage at one size, on data of its own."""
    with TemporaryDirectory(prefix="cdpipe-causes-") as folder:
        return Check(stage, rows, Path(folder), session, slow=slow).measure()


def count_agreed(cells: Sequence[Cell]) -> int:
    """Count where the class predicts the tax that hurts most."""
    return sum(cell.predicted == cell.measured for cell in cells)


def summarise(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return what is written as JSON."""
    written = [{**asdict(cell), "predicted": cell.predicted, "measured": cell.measured} for cell in cells]
    return {"cells": written, "agreed": count_agreed(cells)}


def describe(cell: Cell) -> str:
    """Return one line: predicted against measured."""
    factors = ", ".join(f"{name} {factor:.2f}" for name, factor in cell.slowdowns.items())
    agrees = cell.predicted == cell.measured
    verdict = "agrees" if agrees else f"disagrees ({describe_shares(cell.shares)})"
    place = " on a slow disk" * cell.slow
    return (
        f"  {cell.stage}, {cell.rows:,} rows{place}, {cell.seconds:.2f} s, {cell.bound}: {factors}; "
        f"predicted {cell.predicted or 'nothing'}, measured {cell.measured}: {verdict}"
    )


def sum_up(cells: Sequence[Cell]) -> str:
    """Return in how many the class is right."""
    agreed = count_agreed(cells)
    return f"the class predicts the tax that hurts most in {agreed} of {len(cells)} ({agreed / len(cells):.0%})"
