"""Remedies: general ones that any program can try, and a project's own, which name its configuration keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

CHAIN: Final = " → "
"""Stands between the stages that one part of a run has."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do, and the configuration keys (`table.key`) to do it with."""

    text: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known of a run that decides which remedies can work there; empty or None where it is not known.

    Attributes
    ----------
    stage
        The stage, or the stages of a part with `CHAIN` between them.
    scheduler
        Where its tasks ran: `threads`, `local` (worker processes on this machine), or an address.
    slots, machine_cores
        Threads that it could use, and cores of the machine.
    """

    stage: str = ""
    scheduler: str = ""
    slots: float | None = None
    machine_cores: int | None = None


def _has_spare_cores(at: Situation) -> bool:
    return at.slots is None or at.machine_cores is None or at.slots < at.machine_cores


CONDITIONS: Final[Mapping[str, Callable[[Situation], bool]]] = {
    "spare cores": _has_spare_cores,
    "all cores used": lambda at: at.slots is not None and not _has_spare_cores(at),
    "several slots": lambda at: at.slots is None or at.slots > 1,
}
"""What a project's remedy may depend on beside stage and scheduler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRemedy:
    """A project's own remedy, and where it can work.

    Attributes
    ----------
    remedy
        What to do.
    causes
        Codes of the findings that it helps against.
    stages, except_stages
        Patterns (`fnmatch`) of stages; of a part with several stages one must fit.
    schedulers
        `threads`, `local` or `address`; empty for all. A run whose scheduler is not known has all.
    conditions
        Names in `CONDITIONS` that must all hold.
    """

    remedy: Remedy
    causes: tuple[str, ...]
    stages: tuple[str, ...] = ("*",)
    except_stages: tuple[str, ...] = ()
    schedulers: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    def can_work(self, at: Situation) -> bool:
        """Return True if nothing known of the run speaks against it."""
        names = at.stage.split(CHAIN)
        if not any(_fits(name, self.stages) and not _fits(name, self.except_stages) for name in names):
            return False
        kind = at.scheduler if at.scheduler in {"", "threads", "local"} else "address"
        if kind and self.schedulers and kind not in self.schedulers:
            return False
        return all(CONDITIONS[name](at) for name in self.conditions)


def choose_remedies(
    code: str, general: tuple[Remedy, ...], own: tuple[OwnRemedy, ...], at: Situation
) -> tuple[Remedy, ...]:
    """Return what helps against a finding in a run, the most effective first.

    Parameters
    ----------
    code
        Of the finding, `""` for a class without one: nothing is returned.
    general
        What any program can try: said where the project names nothing for this finding.
    own
        The project's.
    at
        The run.
    """
    if not code:
        return ()
    named = [each for each in own if code in each.causes]
    return tuple(each.remedy for each in named if each.can_work(at)) if named else general


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
