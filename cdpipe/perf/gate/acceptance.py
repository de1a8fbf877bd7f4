"""Acceptance: regressions that are meant, by trailers of the commits: `Accept-regression: BENCHMARK reason`."""

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

TRAILER: Final = "Accept-regression"

_FORM: Final = re.compile(r"(?P<benchmark>[^\s(]+(?:\((?:[^()]|\([^()]*\))*\))?)\s*(?P<reason>.*)", re.DOTALL)
"""A name, its parameters in brackets if there are any, and the reason behind it."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One trailer: the benchmarks that it names, `*` and `?` allowed, and its reason, `""` if it gives none."""

    benchmark: str
    reason: str

    def covers(self, name: str) -> bool:
        """Return True if it names a benchmark: with its parameters, or without them for all."""
        bare = name.partition("(")[0]
        return self.benchmark in {name, bare} or any(fnmatchcase(each, self.benchmark) for each in (name, bare))


def read_acceptances(repository: Path, base: str, head: str) -> tuple[Acceptance, ...]:
    """Read the trailers of the commits that head has and base has not.

    Parameters
    ----------
    repository
        Folder of the repository.
    base, head
        Hashes.

    Raises
    ------
    OSError
        If git cannot be run, or fails.
    """
    format_ = f"%(trailers:key={TRAILER},valueonly,unfold)"
    asked = subprocess.run(  # noqa: S603 - hashes, not names
        ["git", "log", f"--format={format_}", f"{base}..{head}"],  # noqa: S607
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        raise OSError(f"git log {base[:8]}..{head[:8]} failed: {asked.stderr.strip()}")
    return parse_acceptances(asked.stdout.splitlines())


def parse_acceptances(values: Iterable[str]) -> tuple[Acceptance, ...]:
    """Read values of trailers: a benchmark's name, then the reason."""
    matches = (_FORM.fullmatch(value.strip()) for value in values if value.strip())
    return tuple(Acceptance(match["benchmark"], match["reason"].strip()) for match in matches if match)


def accept(worse: Sequence[str], acceptances: Sequence[Acceptance]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Match regressions with the trailers.

    Parameters
    ----------
    worse
        Names of benchmarks that got worse.
    acceptances
        The trailers.

    Returns
    -------
    tuple
        The reason for each that is accepted; sentences on trailers that accept nothing: a reason is missing, or none of
        the regressions is named.
    """
    reasons: dict[str, str] = {}
    notes = []
    for each in acceptances:
        covered = [name for name in worse if each.covers(name)]
        if covered and not each.reason:
            notes.append(f"{TRAILER}: {each.benchmark}: gives no reason, and so accepts nothing; write one behind it")
        elif covered:
            reasons |= dict.fromkeys(covered, each.reason)
        else:
            notes.append(f"{TRAILER}: {each.benchmark}: names no benchmark that got worse here")
    return reasons, tuple(notes)
