"""Regressions over history, as asv's site has them: steps upwards that are there at the newest commit."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RECENT: Final = 5
"""A step counts as new if it is at one of so many measured commits, the newest ones: asv sees it some commits later."""


@dataclass(frozen=True, slots=True)
class Regression:
    """A step upwards of one benchmark at one set of parameters that no later step took back.

    Attributes
    ----------
    name
        As asv has it: `clean.Spatial.time_run('1M')`.
    commit
        The first commit after the step, in full.
    since
        The last commit before it, if commits between them were not measured.
    before, after
        asv's levels on both sides.
    is_new
        Whether the step is at one of the newest commits.
    """

    name: str
    commit: str
    since: str
    before: float
    after: float
    is_new: bool


def read_regressions(site: Path) -> list[Regression]:
    """Return what a published site has on its page of regressions, the newest first.

    Raises
    ------
    OSError
        If there is no such site.
    ValueError
        If it is not one of asv's.
    """
    found = json.loads((site / "regressions.json").read_text(encoding="utf-8"))["regressions"]
    index = json.loads((site / "index.json").read_text(encoding="utf-8"))
    hashes = {int(revision): commit for revision, commit in index["revision_to_hash"].items()}
    newest = set(_find_measured(site)[-RECENT:])
    steps = []
    for name, _path, _params, _place, _last, _best, jumps in found:
        for since, revision, before, after in jumps:
            steps.append(
                (revision, Regression(name, hashes[revision], hashes.get(since, ""), before, after, revision in newest))
            )
    return [each for _, each in sorted(steps, key=lambda pair: -pair[0])]


def _find_measured(site: Path) -> list[int]:
    """Return the revisions with a result, oldest first; tags are in the site's list too."""
    revisions = set()
    for path in (site / "graphs").rglob("*.json"):
        points = json.loads(path.read_text(encoding="utf-8"))
        revisions |= {point[0] for point in points if isinstance(point, list)}  # beside graphs there are lists of them
    return sorted(revisions)


def describe(regressions: list[Regression]) -> Iterator[str]:
    """Yield the lines of a table in Markdown: what is new first; one sentence if there is nothing."""
    if not regressions:
        yield "No regression in history."
        return
    yield "| benchmark | commit | before | after | factor | |"
    yield "|---|---|---|---|---|---|"
    for each in sorted(regressions, key=lambda one: not one.is_new):
        where = f"{each.since[:8]}..{each.commit[:8]}" if each.since else each.commit[:8]
        factor = f"{each.after / each.before:.2f}" if each.before else ""
        levels = f"{each.before:.4g} | {each.after:.4g} | {factor}"
        yield f"| {each.name} | {where} | {levels} | {'new' if each.is_new else ''} |"


def report(site: Path) -> tuple[str, int]:
    """Return the table, and the exit status: 1 if a regression is new."""
    regressions = read_regressions(site)
    return "\n".join(describe(regressions)) + "\n", int(any(each.is_new for each in regressions))
