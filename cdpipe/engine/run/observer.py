"""Run observers: whoever wants to know how a run goes is told by events, and measures the run by a meter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from cdpipe.engine.graph.steps import Outcome
    from cdpipe.engine.run.meters import Meter
    from cdpipe.engine.sessions.base import Session

_LOG: Final = logging.getLogger("cdpipe.run")


class Said(NamedTuple):
    """A sentence worth telling: the dashboard's link, the projected memory."""

    sentence: str


class StepBegan(NamedTuple):
    """A step that has no partitions began, such as "compile kernels".

    Attributes
    ----------
    name
        What is done.
    number, total
        Which of how many steps of one kind: the second of three classifiers.
    is_brief
        Whether it is soon over, so that only a terminal shows it.
    """

    name: str
    number: int = 1
    total: int = 1
    is_brief: bool = False


class StepCounted(NamedTuple):
    """A step is done as far as a count tells: rows written, cells of a study.

    Attributes
    ----------
    name
        What is done.
    done, total
        How far it is, and how far it goes.
    """

    name: str
    done: int
    total: int


class PartBegan(NamedTuple):
    """A part of the run began: a survey or a pass, by name, "publish" or "train"."""

    part: str


class PartitionsBegan(NamedTuple):
    """The partitions of a survey or pass are about to be done, anew if this comes a second time."""

    part: str
    total: int


class PartitionDone(NamedTuple):
    """A partition of a survey or pass is done.

    Attributes
    ----------
    part
        The survey or pass.
    done, total
        Partitions done so far, this one included, and partitions in all.
    outcome
        What the partition's task gave back.
    """

    part: str
    done: int
    total: int
    outcome: Outcome


class PartEnded(NamedTuple):
    """A part of the run ended well."""

    part: str


Event = Said | StepBegan | StepCounted | PartBegan | PartitionsBegan | PartitionDone | PartEnded


class RunObserver:
    """Sees the events of a run, and measures what the run uses.

    Parameters
    ----------
    see
        Called with each event, in the thread that asked for the run; what it raises ends the run.

    Examples
    --------
    >>> events = []
    >>> observer = RunObserver(events.append)
    >>> observer.see(Said("projected memory, streaming: at most 0.4 GB of 24.0 GB"))
    >>> events[0].sentence
    'projected memory, streaming: at most 0.4 GB of 24.0 GB'
    """

    def __init__(self, see: Callable[[Event], object] | None = None) -> None:
        self._tell = see

    def see(self, event: Event) -> None:
        """Take in an event."""
        if self._tell is not None:
            self._tell(event)

    def measure(self, session: Session) -> AbstractContextManager[Meter]:
        """Return the block in which the run's work is done, and its meter; by default the run is measured as one."""
        from cdpipe.engine.run.meters import meter_whole  # noqa: PLC0415 - who only shows progress need not wait for it

        return meter_whole(session)


class Announcer:
    """Tells the observer of one run what happens in it, logs it under `cdpipe.run`, and measures its parts.

    Parameters
    ----------
    observer
        Who is told.
    """

    def __init__(self, observer: RunObserver) -> None:
        self._observer = observer
        self._meter: Meter | None = None

    def see(self, event: Event) -> None:
        """Tell an event."""
        _LOG.log(
            logging.DEBUG if isinstance(event, PartitionDone | StepCounted) else logging.INFO, "%s", word_event(event)
        )
        self._observer.see(event)

    def say(self, sentence: str) -> None:
        """Tell a sentence."""
        self.see(Said(sentence))

    @contextmanager
    def measuring(self, session: Session) -> Iterator[Meter]:
        """Measure what is done in the block, and each part in it."""
        with self._observer.measure(session) as meter:
            self._meter = meter
            yield meter

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Do a part of the run in the block."""
        self.see(PartBegan(name))
        with nullcontext() if self._meter is None else self._meter.part(name):
            yield
        self.see(PartEnded(name))


def word_event(event: Event) -> str:
    """Return an event as a sentence."""
    match event:
        case Said(said):
            pass
        case StepBegan(name, number, total):
            said = name if total == 1 else f"{name} ({number} of {total})"
        case StepCounted(name, done, total):
            said = f"{name}: {done:,} of {total:,}"
        case PartBegan(part):
            said = f"{part} begins"
        case PartitionsBegan(part, total):
            said = f"{part}: {total:,} partitions"
        case PartitionDone(part, done, total, outcome):
            said = f"{part}: {done:,} of {total:,} partitions, {outcome.rows:,} rows in the last"
        case PartEnded(part):
            said = f"{part} has ended"
    return said
