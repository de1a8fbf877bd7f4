"""Slot classes: shares of the slots' time, and the class that they make: arrays in, classes out.

A *slot* is one of the threads that a run may use; slots x wall time is what a run has to spend. Each share is a
fraction of that, and a slot that does not compute is charged to what kept it from computing. So one busy thread of
two gives compute 0.5 and idle 0.5, and a loop of pure Python on two threads compute 0.5 and gil 0.5.

Time in which other work had the core (contention) says nothing of the run: the class is that of the other shares, as on
a machine that nobody else uses, which have been counted from that much fewer looks. From `DISTURBED` on there is too
little else to tell: the run is *disturbed*, whatever the rest says, and is to be measured again. One busy process takes
less than that: of two cores, two slots lose a third of their time to it.

The class of all other runs follows from four rules, in this order.

1. The peak of memory is near the limit: *memory-bound*. What does not fit does not finish, however fast it is.
2. Computing fills at least `FULL` of the slots: *compute-bound*. Garbage collection is counted with it: it too wants a
   core. At 0.7 or more, emptying the slots of everything else makes the run at most 1/0.7 = 1.4 times as fast, and
   halving the computing at least 1.5 times; below it some other cause can be worth more than computing is.
3. The largest cause of slots that do not compute, if it leads every rival by `MARGIN`, and by twice that noise which
   sampled shares have. Computing is no rival of a cause that leaves slots empty or fills them with overhead (idle,
   locks, scheduling, serialisation): the other slots compute all the while. It is a rival of a wait (disk, network,
   memory, sleep), which takes turns with computing in the same slot. What could not be attributed is always a rival:
   it might be anything. Who waits for a lock waits as long as its holder does: where both together fill `FULL` of the
   slots, a wait of the holder's that is no longer by `MARGIN` is no rival either, and the lock is the cause.
4. Else *mixed*; *insufficient data* if what could not be attributed is itself the largest cause and `UNKNOWN` or more.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from cdpipe.figures import PREFIX, SHARES
from cdpipe.perf.analysis.bounds import Bound

Floats = npt.NDArray[np.float64]

FULL: Final = 0.7
MARGIN: Final = 0.1
DISTURBED: Final = 0.6
"""Of the slots' time: from here on other work took so much that a class would be a guess."""

BUSY: Final = 0.1
"""Of the slots' time: from here on a time is marked, as a tenth less of the cores makes a run a ninth longer."""

UNKNOWN: Final = 0.25
NEAR_LIMIT_PERCENT: Final = 80.0
"""Of memory: from here on a local cluster spills (`session.spill`), and a run a quarter larger does not fit."""

_NOISE: Final = 2.0
_SUM_TOLERANCE: Final = 0.02
_ROUNDING: Final = 1e-9

GROUPS: Final[Mapping[Bound, tuple[str, ...]]] = {
    Bound.COMPUTE: ("compute", "gc"),
    Bound.MEMORY: ("memory",),
    Bound.DISK: ("disk",),
    Bound.NETWORK: ("network",),
    Bound.WAITING: ("sleep",),
    Bound.SERIALISATION: ("serialisation",),
    Bound.SCHEDULER: ("scheduling",),
    Bound.LOCK: ("gil", "lock"),
    Bound.PARALLELISM: ("idle",),
    Bound.DISTURBED: ("contention",),
    Bound.INSUFFICIENT: ("unattributed",),
}
"""Which shares speak for a class."""

WAITS: Final = (Bound.MEMORY, Bound.DISK, Bound.NETWORK, Bound.WAITING)
"""Classes whose shares take turns with computing in one slot, which is therefore their rival."""

CLASSES: Final = (*GROUPS, Bound.MIXED)
"""What `decide` numbers."""

_WAIT_PLACES: Final = [CLASSES.index(bound) for bound in WAITS]
_LOCK: Final = CLASSES.index(Bound.LOCK)
_UNATTRIBUTED: Final = len(GROUPS) - 1
_MIXED: Final = len(GROUPS)
_MEMORY: Final = 1
_DISTURBED: Final = CLASSES.index(Bound.DISTURBED)
_CONTENTION, _GIL_SHARE, _LOCK_SHARE = (SHARES.index(name) for name in ("contention", "gil", "lock"))
_MEMBERS: Final = np.array([[float(name in names) for names in GROUPS.values()] for name in SHARES])


_NAMES: Final = tuple(PREFIX + name for name in SHARES)


def has_shares(figures: Mapping[str, float]) -> bool:
    """Say whether there is a share among figures, which are by name."""
    return not figures.keys().isdisjoint(_NAMES)


def read_shares(runs: Sequence[Mapping[str, float]]) -> Floats:
    """Take the shares out of the figures of runs.

    Parameters
    ----------
    runs
        Figures by name; shares are `share_compute` and so on, fractions of slots x wall.

    Returns
    -------
    ndarray of float64, shape (n, 13)
        In the order of `SHARES`. What the named shares leave of the whole is unattributed: a share that was not
        measured is not taken for 0. NaN throughout if they are no fractions of one whole (one is negative, or they sum
        to more than 1.02).
    """
    return complete_shares(np.array([[figures.get(name, math.nan) for name in _NAMES] for figures in runs]))


def complete_shares(shares: Floats) -> Floats:
    """Return shares of runs, shape (n, 13), with what they leave of the whole unattributed; NaN if they are none."""
    known = np.nan_to_num(shares[:, :-1], nan=0.0, posinf=np.inf, neginf=-np.inf)
    total = known.sum(axis=1)
    none = (shares < 0).any(axis=1) | ~(total <= 1 + _SUM_TOLERANCE) | np.isnan(shares).all(axis=1)
    # A little more than the whole is rounding of thirteen figures; as much is taken from each.
    scale = np.where(total > 1, total, 1.0)
    completed = np.column_stack([known / scale[:, None], np.clip(1 - total / scale, 0.0, 1.0)])
    completed[none] = np.nan
    return completed


def group_shares(shares: Floats) -> Floats:
    """Sum shares, shape (n, 13), by the class they speak for: shape (n, 11), in the order of `GROUPS`.

    They are those of a machine that nobody else uses: without contention, where it takes less than `DISTURBED`.
    """
    contention = shares[:, _CONTENTION]
    apart = np.where(contention < DISTURBED, contention, 0.0)
    own = shares.copy()
    own[:, _CONTENTION] -= apart
    grouped: Floats = (own / (1 - apart)[:, None]) @ _MEMBERS
    return grouped


def decide(
    shares: Floats, *, memory_percent: Floats | float = math.nan, samples: Floats | float = math.inf
) -> npt.NDArray[np.int64]:
    """Name the class of runs from their shares.

    Parameters
    ----------
    shares
        Shape (n, 13), as `complete_shares` gives them.
    memory_percent
        Peak of memory in percent of its limit, of a cluster that of the fullest worker; NaN where it is not known.
    samples
        How many looks at the slots the shares are worth, infinite where they were not sampled. NaN is infinite.

    Returns
    -------
    ndarray of int64, shape (n,)
        Indices in `CLASSES`.
    """
    groups, contention = group_shares(shares), shares[:, _CONTENTION]
    every = np.arange(len(groups))
    top = 1 + groups[:, 1:].argmax(axis=1)
    lock, wait = groups[:, _LOCK], groups[:, _WAIT_PLACES].max(axis=1)
    held = np.isin(top, [*_WAIT_PLACES, _LOCK]) & (lock + wait >= FULL - _ROUNDING) & (lock >= wait - MARGIN)
    held &= shares[:, _LOCK_SHARE] >= shares[:, _GIL_SHARE]  # the thread that has the GIL waits for nothing
    top = np.where(held, _LOCK, top)
    largest = groups[every, top]
    rivals = groups.copy()
    rivals[np.ix_(held, _WAIT_PLACES)] = 0.0
    rivals[every, top] = 0.0
    rivals[~np.isin(top, _WAIT_PLACES), 0] = 0.0
    second = rivals.max(axis=1)
    lead = largest - second
    counted = np.nan_to_num(np.asarray(samples, dtype=np.float64), nan=np.inf) * (1 - np.minimum(contention, DISTURBED))
    noise = np.sqrt(np.clip(largest + second - lead**2, 0.0, None) / counted)  # of a difference of two counts
    clear = lead >= np.maximum(MARGIN, _NOISE * noise) - _ROUNDING
    unknown = (top == _UNATTRIBUTED) & (largest >= UNKNOWN)
    named = np.where(clear | unknown, top, _MIXED)
    named = np.where((top == _UNATTRIBUTED) & ~unknown, _MIXED, named)
    named = np.where(groups[:, 0] >= FULL - _ROUNDING, 0, named)
    named = np.where(np.asarray(memory_percent) >= NEAR_LIMIT_PERCENT, _MEMORY, named)
    named = np.where(contention >= DISTURBED, _DISTURBED, named)
    return np.where(np.isnan(groups).any(axis=1), _UNATTRIBUTED, named)
