"""Bisection: the commit that made a benchmark slower or larger, by `asv find`, where noise allows to say so.

`asv find` halves the range by single measurements, and always names a commit. So the ends are compared first, by
`cdpipe compare`, and the commit that was named is held against its parent last: a difference that cannot be told from
noise ends the search, and nobody is blamed.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

FOUND, NOT_FOUND, NOT_MEASURED = 0, 1, 2
"""Exit statuses."""

_CULPRIT: Final = re.compile(r"Greatest regression found: ([0-9a-f]{7,40})")
_INVALID: Final = 3

Run = Callable[[Sequence[str]], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a comparison of two commits said of the benchmark: its exit status, whether it grew, and by what."""

    status: int
    has_grown: bool
    sentence: str


def bisect(benchmark: str, good: str, bad: str, *, run: Run, say: Callable[[str], None]) -> int:
    r"""Search for the commit in `good..bad` since which a benchmark is slower or larger; return the exit status.

    Parameters
    ----------
    benchmark
        asv's regular expression for one benchmark, best with its parameters: `clean.Spatial.time_run\('1M'`.
    good, bad
        Commits before and after; `good` is an ancestor of `bad`.
    run
        Starts a command, and returns its exit status and output.
    say
        Takes a sentence for whoever waits.
    """
    ends = compare(benchmark, good, bad, run=run)
    say(f"{good} against {bad}: {ends.sentence}")
    if not ends.has_grown:
        say("Stopped: noise forbids a verdict on the ends, so none between them would be one. " + _advise(ends))
        return NOT_MEASURED if ends.status > 1 else NOT_FOUND
    status, output = run(["asv", "find", "--skip-save", "--show-stderr", f"{good}..{bad}", benchmark])
    named = _CULPRIT.search(output)
    if status or named is None:
        say(f"`asv find` named no commit (status {status}):\n{output.strip()[-2000:]}")
        return NOT_MEASURED
    culprit = named[1]
    step = compare(benchmark, f"{culprit}^", culprit, run=run)
    say(f"{culprit}^ against {culprit}: {step.sentence}")
    if not step.has_grown:
        say(f"Stopped: `asv find` named {culprit}, but its step cannot be told from noise. " + _advise(step))
        return NOT_MEASURED if step.status > 1 else NOT_FOUND
    say(f"Found: {culprit}, {step.sentence}")
    return FOUND


def compare(benchmark: str, base: str, head: str, *, run: Run) -> Answer:
    """Hold two commits against each other by `cdpipe compare`."""
    with TemporaryDirectory(prefix="cdpipe-bisect-") as folder:
        path = Path(folder) / "comparison.json"
        status, output = run(["cdpipe", "compare", base, head, "--bench", benchmark, "--json", str(path)])
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return Answer(status or 2, has_grown=False, sentence=f"not measured:\n{output.strip()[-2000:]}")
    rows = data["benchmarks"]
    grown = [row for row in rows if row["is_regression"] or row["accepted"]]
    return Answer(status, has_grown=bool(grown) and status != _INVALID, sentence=data["headline"])


def start(command: Sequence[str]) -> tuple[int, str]:
    """Run a command of this environment; return its exit status and what it printed."""
    own = Path(sys.executable).with_name(command[0])
    line = [str(own) if own.exists() else command[0], *command[1:]]
    done = subprocess.run(line, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def _advise(answer: Answer) -> str:
    if answer.status == _INVALID:
        return "Others had the machine: try again when it is quiet."
    return "Take ends further apart, a larger size, or more pairs: `cdpipe compare --pairs`."
