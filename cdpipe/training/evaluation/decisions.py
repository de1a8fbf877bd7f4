"""Decisions: what a classifier's alarms say of whole vehicles, and how soon."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.stages.order import settle_times
from cdpipe.training.evaluation.intervals import Estimate, Spread, add_all, estimate
from cdpipe.training.evaluation.resampling import Floats, Profiles
from cdpipe.training.examples import Examples

_WAITS: Final = 256
"""Different waits for a first alarm that resamples tell apart; more are put together."""

_NEVER: Final = np.iinfo(np.int64).max


class Waits(NamedTuple):
    """Attackers' messages until the first alarm, that one included; an attacker without any waits for ever.

    Attributes
    ----------
    median, ninth_decile
        The least number of messages after which half of the attackers, and nine tenths, are alarmed; None: never.
    """

    median: Estimate
    ninth_decile: Estimate


def order_messages(examples: Examples, code: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the order of messages by vehicle, and within one as `cdpipe.stages.order` has it."""
    times = settle_times(examples.time_us, vehicle=examples.vehicle, coarse=examples.coarse)
    return np.lexsort((examples.row_number, times, code))


def profile_decisions(alarms: Profiles, *, attacks: NDArray[np.bool_], share: float) -> Profiles:
    """Judge each vehicle that tests: it is an attacker if more than a share of its messages alarm.

    Parameters
    ----------
    alarms
        Messages of each vehicle without and with an alarm.
    attacks
        Whether it is an attacker.
    share
        0: one alarm is enough.

    Returns
    -------
    Profiles
        One for each vehicle, in its column (not judged, judged an attacker); nothing for those without a message.
    """
    both = alarms.negative + alarms.positive
    sent = both.sum(axis=1)
    judged = both[:, 1] > share * sent
    cells = np.stack([~judged, judged], axis=1) & (sent > 0)[:, np.newaxis]
    return Profiles(
        (cells & ~attacks[:, np.newaxis]).astype(np.float64), (cells & attacks[:, np.newaxis]).astype(np.float64)
    )


def count_waits(
    alarm: NDArray[np.int8], label: NDArray[np.int8], code: NDArray[np.intp], *, attacks: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Count each vehicle's messages until its first alarm, that one included.

    Parameters
    ----------
    alarm, label, code
        Of messages in order (`order_messages`), shape (n,). Of an attacker's only those of label 1 count.
    attacks
        Whether a vehicle attacks, shape (vehicles,).

    Returns
    -------
    numpy.ndarray
        int64, shape (vehicles,): the largest number where there is no alarm, 0 where there is no message.
    """
    counts = label == attacks[code]
    number = np.cumsum(counts)
    sent = np.bincount(code[counts], minlength=attacks.size)
    before = np.cumsum(sent) - sent
    waits = np.where(sent > 0, _NEVER, 0)
    alarmed = np.flatnonzero(counts & (alarm != 0))
    np.minimum.at(waits, code[alarmed], number[alarmed] - before[code[alarmed]])
    return waits


def profile_waits(waits: list[NDArray[np.int64]], attacks: NDArray[np.bool_]) -> tuple[Profiles, NDArray[np.int64]]:
    """Count each vehicle's waits, one for each repeat, by their length; also return the lengths, ascending."""
    there = np.concatenate([each[each > 0] for each in waits])
    lengths = np.unique(there)
    if lengths.size > _WAITS:
        lengths = np.unique(np.quantile(there, np.linspace(0, 1, _WAITS), method="higher").astype(np.int64))
    counts = np.zeros((attacks.size, lengths.size))
    for each in waits:
        vehicle = np.flatnonzero(each > 0)
        np.add.at(counts, (vehicle, np.searchsorted(lengths, each[vehicle])), 1.0)
    return Profiles(counts * ~attacks[:, np.newaxis], counts * attacks[:, np.newaxis]), lengths


def estimate_waits(
    profiles: Profiles, lengths: NDArray[np.int64], resampled: Profiles | None, spread: Spread | None
) -> Waits:
    """Estimate when half and nine tenths of the attackers are alarmed."""
    found = []
    for share in (0.5, 0.9):
        value = _find_quantile(add_all(profiles).positive[np.newaxis], lengths, share)[0]
        if resampled is None or spread is None or np.isnan(value):
            found.append(estimate(float(value) if np.isfinite(value) else float("nan"), None, None))
            continue
        drawn = _find_quantile(resampled.positive, lengths, share)
        found.append(_estimate_wait(value, drawn, spread))
    return Waits(*found)


def _estimate_wait(value: float, drawn: Floats, spread: Spread) -> Estimate:
    """Put a wait and its interval together, whose end is None where attackers may never be alarmed."""
    low, high = np.quantile(drawn, (spread.tail, 1 - spread.tail), method="closest_observation")
    known, lowest, highest = (
        float(each) if np.isfinite(each) else None for each in (value, min(low, value), max(high, value))
    )
    return Estimate(known, lowest, highest)


def _find_quantile(counts: Floats, lengths: NDArray[np.int64], share: float) -> Floats:
    """Return the least length that holds a share of each row's counts: infinite for never, NaN without counts."""
    total = counts.sum(axis=1)
    reached = np.cumsum(counts, axis=1) >= share * total[:, np.newaxis] - 1e-9
    first = np.argmax(reached, axis=1)
    value = np.where(lengths[first] == _NEVER, np.inf, lengths[first].astype(np.float64))
    return np.where(total > 0, value, np.nan)
