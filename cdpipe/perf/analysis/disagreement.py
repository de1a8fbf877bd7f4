"""Disagreement: one sentence on why thresholds and attribution name different classes for the same measurements."""

from collections.abc import Callable, Mapping
from typing import Final

from cdpipe.perf.analysis.attribution import Attribution, name_bound
from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.slot_classes import GROUPS
from cdpipe.perf.analysis.thresholds import Verdict
from cdpipe.perf.wording.figures import format_figure
from cdpipe.perf.wording.units import format_percent

_SHOWN: Final = 0.05

_SAME: Final[Mapping[Bound, frozenset[Bound]]] = {
    Bound.COMPUTE: frozenset({Bound.COMPUTE}),
    Bound.MEMORY: frozenset({Bound.MEMORY}),
    Bound.IO: frozenset({Bound.DISK}),
    Bound.SCHEDULER: frozenset({Bound.SCHEDULER}),
    Bound.BALANCED: frozenset({Bound.MIXED}),
}


def explain_disagreement(attribution: Attribution, verdict: Verdict, figures: Mapping[str, float]) -> str:
    """Say why two classes of one run differ.

    Parameters
    ----------
    attribution
        The class by shares.
    verdict
        The class by thresholds.
    figures
        What both rest on.

    Returns
    -------
    str
        One sentence; `""` if they agree, where the thresholds lack figures, and of what is disturbed.
    """
    if attribution.bound is Bound.DISTURBED or verdict.bound is Bound.INSUFFICIENT:
        return ""
    if attribution.bound in _SAME[verdict.bound]:
        return ""
    named = f"by thresholds {verdict.bound}, by shares {name_bound(attribution)}: "
    if attribution.bound is Bound.INSUFFICIENT:
        return f"{named}{attribution.evidence[-1]}"
    return named + _REASONS[verdict.bound](attribution, figures)


def _of_compute(attribution: Attribution, figures: Mapping[str, float]) -> str:
    busy = f"cores that were busy {_figure(figures, 'cpu_percent')} do not say with what"
    if attribution.bound is Bound.SCHEDULER and {"task_seconds_p50", "tasks"} <= figures.keys():
        tasks = f"{_figure(figures, 'tasks')} tasks of {_figure(figures, 'task_seconds_p50')}"
        return f"{busy}, and {_share(attribution)} of the slots' time went into handing out {tasks}"
    return f"{busy}; {_said(attribution)}"


def _of_memory(attribution: Attribution, figures: Mapping[str, float]) -> str:
    peak = f"a peak of {_figure(figures, 'memory_percent')} of the limit slows nothing by itself"
    stalled = attribution.shares["memory"]
    return f"{peak}, the slots waited for memory {format_percent(stalled)} of their time; {_said(attribution)}"


def _of_io(attribution: Attribution, figures: Mapping[str, float]) -> str:
    busy = f"the disk was busy {_figure(figures, 'disk_busy')} of the time, whoever used it"
    waited = attribution.shares["disk"]
    return f"{busy}, but the slots waited for it {format_percent(waited)} of theirs; {_said(attribution)}"


def _of_scheduler(attribution: Attribution, figures: Mapping[str, float]) -> str:
    queue = f"{_figure(figures, 'ready_queue_max')} tasks"
    if "task_seconds_p50" in figures:
        queue += f" of {_figure(figures, 'task_seconds_p50')}"
    waited = attribution.shares["scheduling"]
    return (
        f"a queue of {queue} is work to do; the slots waited for the scheduler {format_percent(waited)} of their time"
    )


def _of_balanced(attribution: Attribution, figures: Mapping[str, float]) -> str:
    del figures
    return f"no figure crosses a threshold, but {_said(attribution)}"


_REASONS: Final[Mapping[Bound, Callable[[Attribution, Mapping[str, float]], str]]] = {
    Bound.COMPUTE: _of_compute,
    Bound.MEMORY: _of_memory,
    Bound.IO: _of_io,
    Bound.SCHEDULER: _of_scheduler,
    Bound.BALANCED: _of_balanced,
}


def _figure(figures: Mapping[str, float], name: str) -> str:
    return format_figure(name, figures[name])


def _share(attribution: Attribution) -> str:
    """Say how much of the time the finding's own shares took, each by its name where there are several."""
    taken = {name: attribution.shares[name] for name in GROUPS[attribution.bound]}
    if attribution.gain is None or len(taken) == 1:
        return format_percent(sum(taken.values()))
    known = sorted(((share, name) for name, share in taken.items() if share >= _SHOWN), reverse=True)
    return " and ".join(f"{name} {format_percent(share)}" for share, name in known)


def _said(attribution: Attribution) -> str:
    """Say what the shares found; of a peak near the limit, and of *mixed*, what decided."""
    if attribution.gain is None:
        return attribution.evidence[1]
    return f"{attribution.title}: {_share(attribution)} of their time"
