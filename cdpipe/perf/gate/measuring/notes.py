"""Notes on contention as the gate reads them: of the process that has just ended, so that calm samples alone count.

A burst of another program is shorter than a process. A suite that reads the counters around each sample says which of
them it met, see `cdpipe.perf.results.contention`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from cdpipe.perf.results.contention import QUIET, measure_share, parse_note

FEWEST: Final = 2
"""Calm samples that a process must have to stand for its side."""


class Calm(NamedTuple):
    """The samples of a process that nothing disturbed, and the share of the processors that others had during them."""

    samples: tuple[float, ...]
    others: float


class Notes:
    """The notes on one commit in one environment, which grow by a line with each process.

    Parameters
    ----------
    path
        The file; it need not exist, now or ever: other suites write none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = self._measure()

    def skip(self) -> None:
        """Pass over all that was written so far."""
        self._size = self._measure()

    def choose_calm(self, name: str, params: Sequence[str], samples: Sequence[float]) -> Calm | None:
        """Return the calm samples of the process that has just ended.

        Parameters
        ----------
        name, params
            The benchmark, and asv's texts of its parameters.
        samples
            As asv has them, in order.

        Returns
        -------
        Calm or None
            None where nothing was noted, the note is on other samples, or too few were calm.
        """
        note = self._read_last(name, params)
        uses = note.get("samples", []) if note else []
        if len(uses) != len(samples):
            return None
        try:
            shares = [measure_share(use) for use in uses]
        except (KeyError, TypeError, ZeroDivisionError):
            return None
        calm = [(sample, share) for sample, share in zip(samples, shares, strict=True) if share <= QUIET]
        if len(calm) < min(FEWEST, len(samples)):
            return None
        return Calm(tuple(sample for sample, _ in calm), sum(share for _, share in calm) / len(calm))

    def _measure(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _read_last(self, name: str, params: Sequence[str]) -> Mapping[str, Any] | None:
        if self._measure() <= self._size:
            return None
        with self._path.open("rb") as file:
            file.seek(self._size)
            lines = file.read().decode("utf-8", errors="replace").splitlines()
        for line in reversed(lines):
            note = parse_note(line)
            if note and (note.get("benchmark"), note.get("params")) == (name, list(params)):
                return note
        return None
