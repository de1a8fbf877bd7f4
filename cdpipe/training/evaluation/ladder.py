"""Ladder of leaks: the same classifiers, tested by folds that have less and less in common with what was learnt.

Rows at random: a vehicle's other messages are learnt. Whole vehicles: nothing of the tested ones is. Spans of time and
strips of a region: nothing of their time, or their roads, either (blocks as of Roberts et al. 2017).
"""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from cdpipe.training.evaluation.folds import Vehicles, deal_by
from cdpipe.training.evaluation.intervals import Estimate, add_all, as_matrices, estimate, find_spread, profile_alarms
from cdpipe.training.evaluation.params import Rung
from cdpipe.training.evaluation.resampling import Profiles, Resampler
from cdpipe.training.evaluation.result import RungResult
from cdpipe.training.evaluation.rounds import Judged, Tell, judge_folds
from cdpipe.training.examples import Examples
from cdpipe.training.metrics import compute_rates

if TYPE_CHECKING:
    from cdpipe.training.params import TrainParams

REFERENCE: Final[Rung] = "vehicle"
"""Rung that the others are held against."""

Alarms = dict[Rung, Profiles | str]
"""Alarms of each vehicle by rung, or why there are none."""


def climb(
    examples: Examples,
    vehicles: Vehicles,
    names: tuple[str, ...],
    params: "TrainParams",
    *,
    folds: int,
    known: dict[Rung, dict[str, Judged]],
    threads: int,
    tell: Tell | None = None,
) -> dict[str, Alarms]:
    """Test every classifier on each rung.

    Parameters
    ----------
    examples, vehicles, names
        The messages, their vehicles, the names of their features.
    params
        Which classifiers; theirs.
    folds
        As many on each rung.
    known
        Rungs that were tested before.
    threads
        To use at most.
    tell
        Is told before each classifier is fitted.

    Returns
    -------
    dict
        By classifier.
    """
    found: dict[str, Alarms] = {name: {} for name in params.classifiers}
    for rung in dict.fromkeys((*params.evaluation.ladder, REFERENCE)):
        try:
            if rung in known:
                judged = known[rung]
            else:
                fold = deal_by(rung, examples, vehicles, names, folds=folds, seed=params.seed)
                judged = judge_folds(examples, fold, params, threads=threads, names=names, tell=tell)
        except ValueError as error:
            for alarms in found.values():
                alarms[rung] = str(error)
            continue
        for name, each in judged.items():
            found[name][rung] = profile_alarms(vehicles.code, examples.label, each.alarm, vehicles=vehicles.hashes.size)
    return found


def estimate_ladder(alarms: Alarms, *, resampler: Resampler, folds: int) -> tuple[RungResult, ...]:
    """Estimate MCC and macro-F1 on each rung, and what MCC has in excess of the reference on the same vehicles.

    Parameters
    ----------
    alarms
        Of each vehicle by rung, or why there are none.
    resampler
        Of these vehicles.
    folds
        On each rung.
    """
    tested = {rung: each for rung, each in alarms.items() if isinstance(each, Profiles)}
    values = {rung: compute_rates(as_matrices(add_all(each))) for rung, each in tested.items()}
    drawn: dict[Rung, dict[str, NDArray[np.float64]]] = {}
    spread = None
    if resampler.is_able and tested:
        spread = find_spread(vehicles=resampler.attacks.size, folds=folds)
        sums = resampler.add_up(list(tested.values()))
        drawn = {rung: compute_rates(as_matrices(each)) for rung, each in zip(tested, sums, strict=True)}

    def put(rung: Rung, name: str, *, less: Rung | None = None) -> Estimate:
        value, resampled = float(values[rung][name]), drawn[rung][name] if drawn else None
        if less is not None:
            value -= float(values[less][name])
            resampled = None if resampled is None else resampled - drawn[less][name]
        return estimate(value, resampled, spread)

    return tuple(
        RungResult(rung, None, None, None, each)
        if isinstance(each, str)
        else RungResult(
            rung,
            put(rung, "mcc"),
            put(rung, "macro_f1"),
            None if rung == REFERENCE or REFERENCE not in values else put(rung, "mcc", less=REFERENCE),
        )
        for rung, each in alarms.items()
    )


def is_leak(result: RungResult) -> bool:
    """Return True if a rung shows more than whole vehicles do, by more than chance gives."""
    return result.excess is not None and result.excess.low is not None and result.excess.low > 0
