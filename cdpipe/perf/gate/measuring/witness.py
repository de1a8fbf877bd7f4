"""The witness: a script that runs asv's own and notes what the benchmarked function uses, and where its time goes.

It runs in the environment of the commit, with the standard library alone. `CDPIPE_WITNESS` holds JSON: `out`, the file
that it writes; `hook`, the method that runs a benchmark; `package`, whose functions are of interest; and `probe`, a
package with cdpipe's probe, where that shall measure instead.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import runpy
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

LOOK_S: Final = 0.005
PAGE: Final = resource.getpagesize()
WAITING: Final = frozenset({"threading.py", "queue.py", "selectors.py", "socket.py", "subprocess.py", "connection.py"})
"""Files of the standard library in which threads wait."""

PICKLING: Final = ("pickle.py", "cloudpickle", "distributed/protocol", "multiprocessing/reduction")


Run = Callable[[Any], Any]
"""The method that runs a benchmark."""


class Witness:
    """Counts over all calls of one function, and looks at all threads while it runs."""

    def __init__(self, package: str) -> None:
        self._inside, self._own = f"/{package}/", {"/lib/python", sys.base_prefix, str(Path(__file__).parent)}
        self.calls = 0
        self.totals: dict[str, float] = defaultdict(float)
        self.functions: dict[str, float] = defaultdict(float)
        self.memory: list[int] = []
        self._peak, self._tasks, self._gc_began = 0, 0, 0.0
        self._active, self._ended = threading.Event(), False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()
        gc.callbacks.append(self._see_collection)

    def watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same, watched."""

        def watched(*arguments: Any) -> Any:  # noqa: ANN401 - whatever a benchmark takes and gives
            before, rest = read_counters(), read_memory()
            self._count_tasks()
            forget_peak()
            self._peak = rest
            self._active.set()
            try:
                return function(*arguments)
            finally:
                self._active.clear()
                after = read_counters()
                for name, value in after.items():
                    self.totals[name] += value - before[name]
                self.memory.append(read_memory())
                # Code that holds the interpreter's lock is not looked at: the kernel's own peak has that too.
                highest = max(self._peak, read_peak(), self.memory[-1])
                self.totals["peak_bytes"] = max(self.totals["peak_bytes"], highest - rest)
                self.calls += 1

        return watched

    def describe(self) -> dict[str, Any]:
        """Return what one call used, and the seconds of one call by function."""
        calls = max(1, self.calls)
        whole = {"peak_bytes"}
        figures = {name: value if name in whole else value / calls for name, value in self.totals.items()}
        figures["tasks"] = self._tasks / calls
        if len(self.memory) > 1:
            figures["kept_bytes"] = (self.memory[-1] - self.memory[0]) / (len(self.memory) - 1)
        return {
            "calls": self.calls,
            "figures": figures,
            "functions": {name: seconds / calls for name, seconds in self.functions.items()},
        }

    def _count_tasks(self) -> None:
        """Have Dask tell of each task, if the code that is measured has imported it."""
        callbacks = sys.modules.get("dask.callbacks")
        if callbacks is not None and not any(each[3] is self._see_task for each in callbacks.Callback.active):
            callbacks.Callback.active.add((None, None, None, self._see_task, None))

    def _see_task(self, *_: object) -> None:
        if self._active.is_set():
            self._tasks += 1

    def _see_collection(self, phase: str, _: object) -> None:
        if phase == "start":
            self._gc_began = time.perf_counter()
        elif self._active.is_set():
            self.totals["gc_seconds"] += time.perf_counter() - self._gc_began

    def _look_on(self) -> None:
        last = time.perf_counter()
        while True:
            if not self._active.wait(1.0):
                continue
            time.sleep(LOOK_S)
            now = time.perf_counter()
            if self._active.is_set():
                self._look(min(now - last, 1.0))
                self._peak = max(self._peak, read_memory())
            last = now

    def _look(self, seconds: float) -> None:
        own = threading.get_ident()
        for thread, frame in sys._current_frames().items():
            if thread == own or Path(frame.f_code.co_filename).name in WAITING:
                continue
            name, pickles = self._name_place(frame)
            if pickles:
                self.totals["serialisation_seconds"] += seconds
            if name:
                self.functions[name] += seconds

    def _name_place(self, frame: FrameType | None) -> tuple[str, bool]:
        """Return the innermost function of the project that a thread is in, and whether it is pickling."""
        name, pickles = "", False
        while frame is not None:
            file = frame.f_code.co_filename
            pickles = pickles or any(part in file for part in PICKLING)
            if not name and self._inside in file:
                own = file.rpartition(self._inside)[2]
                name = f"{own}:{getattr(frame.f_code, 'co_qualname', frame.f_code.co_name)}"
            frame = frame.f_back
        return name, pickles


def read_counters() -> dict[str, float]:
    """Return what this process and its living and ended children have used."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    counters = {
        "wall_seconds": time.perf_counter(),
        "cpu_seconds": own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime,
        "page_faults": float(own.ru_minflt + ended.ru_minflt),
        "read_bytes": 0.0,
        "write_bytes": 0.0,
    }
    names = {"rchar": "read_bytes", "wchar": "write_bytes"}
    for pid in (os.getpid(), *find_children()):
        for line in read_small(f"/proc/{pid}/io").splitlines():
            name, _, value = line.partition(": ")
            if name in names:
                counters[names[name]] += int(value)
        if pid != os.getpid():
            fields = read_small(f"/proc/{pid}/stat").rpartition(")")[2].split()
            counters["cpu_seconds"] += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") if fields else 0.0
    return counters


def find_children() -> list[int]:
    """Return the living descendants of this process."""
    parents: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*"):
        fields = read_small(f"{entry}/stat").rpartition(")")[2].split()
        if len(fields) > 1:
            parents[int(fields[1])].append(int(entry.name))
    found, open_ = [], [os.getpid()]
    while open_:
        children = parents.get(open_.pop(), [])
        found += children
        open_ += children
    return found


def read_memory() -> int:
    """Return the memory that this process holds, in bytes."""
    fields = read_small("/proc/self/statm").split()
    return int(fields[1]) * PAGE if fields else 0


def forget_peak() -> None:
    """Have the kernel's peak of this process begin anew, where it can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def read_peak() -> int:
    """Return the most memory that this process held since `forget_peak`, in bytes; 0 where the kernel does not say."""
    for line in read_small("/proc/self/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def read_small(path: str) -> str:
    """Return the text of a small file, `""` where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - called thousands of times
            return file.read()
    except OSError:
        return ""


def watch_calls(run: Run, settings: dict[str, Any]) -> tuple[Run, Callable[[], dict[str, Any]]]:
    """Return a method that runs a benchmark with its function watched, and what describes it afterwards."""
    witness = Witness(settings["package"])

    def run_watched(benchmark: Any) -> Any:  # noqa: ANN401
        benchmark.func = witness.watch(benchmark.func)
        return run(benchmark)

    return run_watched, witness.describe


def watch_shares(run: Run, settings: dict[str, Any]) -> tuple[Run, Callable[[], dict[str, Any]]]:
    """Return a method that runs a benchmark under cdpipe's probe; a commit without one gives no figures."""
    figures: dict[str, float] = {}

    def run_watched(benchmark: Any) -> Any:  # noqa: ANN401
        try:
            parts = (importlib.import_module(f"{settings['probe']}.{name}") for name in ("local", "probe", "benchmark"))
            local, probing, naming = parts
        except ImportError:
            return run(benchmark)
        with probing.probe(local.LocalSession(slots=None)) as used:
            made = run(benchmark)
        found = naming.flatten_result(used)
        figures.update({name: value for name, value in found.items() if isinstance(value, int | float)})
        return made

    return run_watched, lambda: {"calls": 0, "figures": figures, "functions": {}}


def main() -> None:
    """Run asv's script, which is the first argument, with the benchmark watched; write what was seen."""
    settings = json.loads(os.environ.pop("CDPIPE_WITNESS"))
    sys.path.pop(0)  # this script's folder holds nothing for benchmarks
    watch = watch_calls if not settings.get("probe") else watch_shares
    module, _, place = settings["hook"].partition(":")
    cls_name, _, method = place.partition(".")
    cls = getattr(importlib.import_module(module), cls_name)
    run = getattr(cls, method)

    run_watched, describe = watch(run, settings)
    setattr(cls, method, run_watched)
    sys.argv = sys.argv[1:]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        Path(settings["out"]).write_text(json.dumps(describe()), encoding="utf-8")


if __name__ == "__main__":
    main()
