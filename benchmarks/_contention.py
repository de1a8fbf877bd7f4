"""Contention: what a sample waited for a processor, and what other programs used meanwhile, from the kernel's counters.

Nothing runs beside the sample: all is read at its ends. The counters of the machine go by ticks of 10 ms, so others are
not judged by a short sample; the wait of this process's threads goes by the nanosecond, and judges that.
"""

import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

MOST_WAIT: Final = 0.05
"""Share of a short sample that its threads may wait for a processor."""

MOST_OTHERS: Final = 0.1
"""Share of the processors that others may use during a long sample."""

LONG_S: Final = 0.2
TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_BUSY: Final = (0, 1, 2, 5, 6, 7)
"""Places in a line of /proc/stat: user, nice, system, irq, softirq, and what a hypervisor gave to others."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one sample took, and what it waited for.

    Attributes
    ----------
    seconds, cpu_seconds
        Wall time; processor time of this process and of those that it started and that have ended.
    wait_seconds
        What this process's threads waited for a processor, all together.
    others_share
        Share of the processors that other programs used.
    """

    seconds: float
    cpu_seconds: float
    wait_seconds: float
    others_share: float

    @property
    def disturbance(self) -> float:
        """How far the sample was from what counts as quiet; above 1 it was disturbed.

        Threads of a long sample may wait for each other's processor, so that what others used judges it.
        """
        if self.seconds >= LONG_S:
            return self.others_share / MOST_OTHERS
        return self.wait_seconds / self.seconds / MOST_WAIT if self.seconds > 0 else 0.0


class Stopwatch:
    """A clock for `timeit`, which calls it at both ends of what it times; counters are read outside of that.

    `use` is of all that was timed since it was last None.
    """

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        self.use: Use | None = None
        self._timer = timer
        self._begin: tuple[float, float, dict[int, int], float] | None = None

    def __call__(self) -> float:
        """Return the time, and take down what the counters say."""
        if self._begin is None:
            self._begin = read_busy(), read_own(), read_waits(), time.perf_counter()
            return self._timer()
        now, end = self._timer(), time.perf_counter()
        busy, own, waits, start = self._begin
        used, seconds = read_own() - own, end - start
        others = max(0.0, read_busy() - busy - used)
        waited = sum(wait - waits.get(thread, 0) for thread, wait in read_waits().items()) / 1e9
        share = min(1.0, others / (len(find_processors()) * seconds)) if seconds > 0 else 0.0
        self._add(Use(seconds, used, max(0.0, waited), share))
        self._begin = None
        return now

    def _add(self, more: Use) -> None:
        if (known := self.use) is None:
            self.use = more
            return
        seconds = known.seconds + more.seconds
        others = known.others_share * known.seconds + more.others_share * more.seconds
        cpu, wait = known.cpu_seconds + more.cpu_seconds, known.wait_seconds + more.wait_seconds
        self.use = Use(seconds, cpu, wait, others / seconds)


def read_busy() -> float:
    """Return the processor time that all programs have used of the processors that this process may use, in seconds."""
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines() if _has_proc() else []
    allowed = {f"cpu{index}" for index in find_processors()}
    fields = [line.split() for line in lines if line.startswith("cpu") and not line.startswith("cpu ")]
    chosen = [each for each in fields if each[0] in allowed] or fields
    return sum(int(each[1:][place]) for each in chosen for place in _BUSY) * TICK_S


def read_own() -> float:
    """Return the processor time of this process and of its children that have ended, in seconds."""
    uses = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def read_waits() -> dict[int, int]:
    """Return what each thread of this process has waited for a processor, in nanoseconds; none if nothing says it."""
    waits = {}
    for thread in os.listdir("/proc/self/task") if _has_proc() else ():  # noqa: PTH208 - at both ends of each sample
        try:
            with open(f"/proc/self/task/{thread}/schedstat", "rb") as file:  # noqa: PTH123
                waits[int(thread)] = int(file.read().split()[1])
        except (OSError, IndexError):  # it has just ended
            continue
    return waits


def find_processors() -> set[int]:
    """Return the processors that this process may use."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def keep(benchmark: str, params: tuple[Any, ...], uses: list[Use], tries: list[int]) -> None:
    """Write down what the samples of a process took, beside asv's results of the commit; nothing outside of asv.

    A line is of one process: the benchmark, its parameters, the round (which process of these it is), the machine, and
    by sample what `Use` says and how often it was measured.
    """
    path = find_notes()
    if path is None:
        return
    key = {"benchmark": benchmark, "params": [repr(each) for each in params]}
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = [asdict(use) | {"tries": count} for use, count in zip(uses, tries, strict=True)]
    line = key | {"round": 1 + sum(1 for _ in _find_lines(path, key)), "machine": os.uname().nodename}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line | {"ended": time.time(), "samples": samples}) + "\n")


def find_notes() -> Path | None:
    """Return the file for the commit and environment that asv measures; None where asv measures none."""
    commit, environment, folder = (os.environ.get(f"ASV_{name}") for name in ("COMMIT", "ENV_NAME", "CONF_DIR"))
    if not commit or not environment or not folder:
        return None
    conf = Path(folder) / "asv.conf.json"
    try:
        results = json.loads(conf.read_text(encoding="utf-8")).get("results_dir", "results")
    except (OSError, ValueError):
        return None
    return Path(folder) / results / "contention" / f"{commit[:8]}-{environment}.jsonl"


def summarise(folder: Path, commit: str) -> str:
    """Return lines on the samples of a commit that were disturbed: how many, and which benchmarks stayed so."""
    notes = [note for path in sorted(folder.glob(f"{commit[:8]}-*.jsonl")) for note in read_notes(path)]
    tries = [sample["tries"] for note in notes for sample in note["samples"]]
    if not tries:
        return f"No timed sample of {commit[:8]} is noted in {folder}.\n"
    stayed: dict[str, list[int]] = {}
    for note in notes:
        count = sum(_read_use(sample).disturbance > 1 for sample in note["samples"])
        if count:
            name = note["benchmark"] + (f"({', '.join(note['params'])})" if note["params"] else "")
            stayed.setdefault(f"{name}, round {note['round']}", []).append(count)
    again = sum(count > 1 for count in tries)
    lines = [
        f"{again} of {len(tries)} timed samples were disturbed and measured again; in these some stayed disturbed:"
    ]
    lines += [f"  {name}: {sum(counts)} samples" for name, counts in stayed.items()]
    return "\n".join(lines if stayed else [lines[0].partition(";")[0] + "; none stayed so."]) + "\n"


def _read_use(sample: dict[str, Any]) -> Use:
    return Use(**{name: value for name, value in sample.items() if name != "tries"})


def read_notes(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file that `keep` wrote; one that was cut short by a kill is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _find_lines(path: Path, key: dict[str, Any]) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [each for each in read_notes(path) if all(each.get(name) == value for name, value in key.items())]


def _has_proc() -> bool:
    return Path("/proc/self/task").is_dir()
