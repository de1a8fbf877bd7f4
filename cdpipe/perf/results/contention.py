"""Notes on contention: what a suite's own benchmark types wrote of each timed sample, beside asv's results.

The file of a commit and environment is `contention/<commit>-<environment>.jsonl` in asv's results, a line for each
process that took samples. A suite that writes none loses nothing: then nobody knows.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from cdpipe.perf.results.model import Header

QUIET: Final = 0.1
"""Up to this share of the processors, others count as quiet."""

LONG_S: Final = 0.2
"""A shorter sample is judged by what its threads waited: counters of the machine go by ticks of 10 ms."""

_MOST_WAIT: Final = 0.05
"""Share of a short sample that its threads wait for a processor while others are as quiet as `QUIET` says."""


def measure_share(use: Mapping[str, float]) -> float:
    """Return the share of the processors that others took of a sample; of a short one its wait, on the same scale.

    Raises
    ------
    KeyError, TypeError, ZeroDivisionError
        If that is not noted.
    """
    if use["seconds"] >= LONG_S:
        return float(use["others_share"])
    return float(use["wait_seconds"] / use["seconds"] / _MOST_WAIT * QUIET)


def parse_note(line: str) -> Mapping[str, Any] | None:
    """Parse a line of a file of notes; None for one that is no note, or was cut short by a kill."""
    try:
        note = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return note if isinstance(note, dict) and isinstance(note.get("samples"), list) else None


class ContentionNotes:
    """The notes on one commit on one machine, by benchmark and parameters.

    Parameters
    ----------
    results_dir
        asv's results directory.
    header
        Of the commit's results.
    machines
        Names of all machines that have results. A note from another of these is not of this one.
    """

    def __init__(self, results_dir: Path, header: Header, machines: Sequence[str]) -> None:
        path = results_dir / "contention" / f"{header.commit[:8]}-{header.environment}.jsonl"
        others = set(machines) - {header.machine}
        self._notes: dict[tuple[str, tuple[str, ...]], list[Mapping[str, Any]]] = {}
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return
        for note in filter(None, map(parse_note, lines)):
            if str(note.get("machine")) not in others and isinstance(note.get("params"), list):
                key = str(note.get("benchmark")), tuple(map(str, note["params"]))
                self._notes.setdefault(key, []).append(note)

    def find_others(
        self, benchmark: str, params: tuple[str, ...], *, samples: int | None = None, started_ms: float = 0.0
    ) -> float | None:
        """Return what others had of the processors in the middle of a benchmark's samples.

        Parameters
        ----------
        benchmark, params
            Its name, and asv's texts of its parameters.
        samples
            How many samples the result rests on: those of the last processes; None for those of the last one.
        started_ms
            When asv started the last process, since 1970: what had ended before is of an earlier result.

        Returns
        -------
        float or None
            A share of the processors, 0-1; None where nothing usable is noted.
        """
        notes = self._notes.get((benchmark, params), [])
        if not notes or _read_end(notes[-1]) * 1000 < started_ms:
            return None
        uses: list[Any] = []
        for note in reversed(notes):
            uses += note["samples"]
            if samples is None or len(uses) >= samples:
                break
        try:
            return median(map(measure_share, uses)) if uses else None
        except (KeyError, TypeError, ZeroDivisionError):
            return None


def _read_end(note: Mapping[str, Any]) -> float:
    """Return when the process of a note ended, in seconds since 1970; the end of time where it is not noted."""
    ended = note.get("ended")
    return float(ended) if isinstance(ended, int | float) else float("inf")
