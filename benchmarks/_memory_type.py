"""`treemem_` benchmarks: the memory of this process and of all that it starts, beyond what was there before the call.

asv's own `peakmem_` is the most this process ever had, with imports and setup, and without worker processes. Here
another process watches the whole tree during the call alone. Samples are kept, so asv gives intervals and tests.

The measuring stick belongs to the suite, not to cdpipe: the commit that is measured must not bring its own.
"""

import ctypes
import gc
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from asv_runner.benchmarks import benchmark_types
from asv_runner.benchmarks._base import Benchmark, _get_first_attr

WATCHER: Final = Path(__file__).with_name("_memory_watch.py")
SAMPLES: Final = (2, 5, 20.0)
"""At least, at most, and seconds after which no more are taken in one process; as with `time_`, `repeat` changes it."""

ROUNDS: Final = 2


class TreeMemory(Benchmark):
    """A benchmark whose samples are bytes: most memory of the process tree during the call, less what was there before.

    What was there before is read once, ahead of the first call in a process: what that call leaves behind for the next
    ones (caches, memory an allocator keeps) is then in every sample, not in the first alone.
    """

    name_regex = re.compile(r"^treemem_.+$")

    def __init__(self, name: str, func: Any, attr_sources: list[Any]) -> None:
        super().__init__(name, func, attr_sources)
        self.type = "treememory"
        self.unit = "bytes"
        self.rounds = int(_get_first_attr(self._attr_sources, "rounds", ROUNDS))

    def run(self, *param: Any) -> dict[str, Any]:
        """Call it several times, each freshly set up."""
        least, most, seconds = self._repeat()
        samples: list[int] = []
        with Watcher() as watcher:
            before = watcher.rest()
            end = time.monotonic() + seconds
            while len(samples) < most and (len(samples) < least or time.monotonic() < end):
                self.redo_setup()
                watcher.begin()
                self.func(*param)
                samples.append(max(0, watcher.end() - before))
        return {"samples": samples, "number": 1}

    def _repeat(self) -> tuple[int, int, float]:
        repeat = _get_first_attr(self._attr_sources, "repeat", 0) or SAMPLES
        if isinstance(repeat, (int, float)):
            return int(repeat), int(repeat), 0.0
        least, most, seconds = repeat
        return int(least), int(most), float(seconds)


class Watcher:
    """A process that watches the memory of this one's tree; leave the block to end it."""

    def __enter__(self) -> "Watcher":
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WATCHER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def rest(self) -> int:
        """Return what the tree holds now, in bytes, when all that can be given back has been."""
        gc.collect()
        if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:  # glibc's alone
            trim(0)
        self.begin()
        return self.end()

    def begin(self) -> None:
        """Begin to watch; returns when the first look has been taken."""
        self._ask("begin")

    def end(self) -> int:
        """Return the most memory that the tree held since `begin`, in bytes."""
        return self._ask("end")

    def _ask(self, word: str) -> int:
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that watches memory ended with status {self._process.wait()}")
        if not answer.strip().isdigit():
            raise RuntimeError(answer.strip())
        return int(answer)


def register() -> None:
    """Make asv know the type in this process; it asks in every process anew."""
    if not any(each.name_regex.pattern == TreeMemory.name_regex.pattern for each in benchmark_types):
        benchmark_types.append(TreeMemory)
