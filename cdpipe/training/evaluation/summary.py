"""Summary: figures of one classifier, each with its interval."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.training.evaluation.decisions import (
    count_waits,
    estimate_waits,
    order_messages,
    profile_decisions,
    profile_waits,
)
from cdpipe.training.evaluation.folds import Folds, Vehicles, find_vehicles
from cdpipe.training.evaluation.intervals import (
    Estimate,
    Spread,
    add_all,
    as_matrices,
    estimate,
    estimate_rates,
    find_spread,
    profile_alarms,
)
from cdpipe.training.evaluation.params import EvaluationParams
from cdpipe.training.evaluation.ranking import count_steps, estimate_rankings, trace_curves
from cdpipe.training.evaluation.resampling import Profiles, Resampler
from cdpipe.training.evaluation.result import ClassifierResult, GroupImportance, RungResult, VehicleResult
from cdpipe.training.evaluation.rounds import Judged
from cdpipe.training.examples import Examples, select
from cdpipe.training.metrics import compute_rates


class Sample(NamedTuple):
    """Messages that test, and how intervals of their figures are made.

    Attributes
    ----------
    examples
        The messages.
    rows
        Which of all they are.
    vehicles
        Theirs.
    folds
        Of each message, by repeat.
    resampler
        Of their vehicles.
    resampler_of_all
        Of the vehicles of all messages.
    spread
        None where vehicles are too few for intervals.
    """

    examples: Examples
    rows: slice | NDArray[np.intp]
    vehicles: Vehicles
    folds: list[Folds]
    resampler: Resampler
    resampler_of_all: Resampler
    spread: Spread | None


def take_tested(examples: Examples, folds: list[Folds], *, seed: int, how: EvaluationParams) -> Sample:
    """Take the messages that test; all do, unless there is one split.

    Parameters
    ----------
    examples
        All messages.
    folds
        Of each, by repeat; in each repeat the same messages test.
    seed
        Of the resamples.
    how
        How many they are.
    """
    everyone = find_vehicles(examples.vehicle, examples.label)
    rows: slice | NDArray[np.intp] = slice(None)
    tested, vehicles = examples, everyone
    if folds[0].min() < 0:
        rows = np.flatnonzero(folds[0] >= 0)
        tested = select(examples, rows)
        vehicles = find_vehicles(tested.vehicle, tested.label)
    resampler = Resampler(vehicles.attacks, seed, how.resamples)
    spread = find_spread(vehicles=vehicles.hashes.size, folds=how.folds) if resampler.is_able else None
    return Sample(
        tested,
        rows,
        vehicles,
        [each[rows] for each in folds],
        resampler,
        Resampler(everyone.attacks, seed, how.resamples),
        spread,
    )


def summarise(
    name: str,
    sample: Sample,
    repeats: list[Judged],
    how: EvaluationParams,
    *,
    importance: tuple[GroupImportance, ...],
    ladder: tuple[RungResult, ...],
) -> ClassifierResult:
    """Tell how good a classifier is.

    Parameters
    ----------
    name
        Its name.
    sample
        The messages that test.
    repeats
        Its word on all messages, in each repeat.
    how
        Which figures.
    importance, ladder
        Made before.
    """
    alarms = [_profile(sample, each) for each in repeats]
    attacks, label = sample.vehicles.attacks, sample.examples.label
    profiles = [
        _add(alarms),
        *(
            _add([profile_decisions(each, attacks=attacks, share=share) for each in alarms])
            for share in (how.vehicle_share, 0.0)
        ),
    ]
    waits, lengths = _profile_waits(sample, repeats)
    resampled: list[Profiles | None] = [None] * 4
    if sample.spread is not None:
        resampled = [*sample.resampler.add_up([*profiles, waits])]
    rates, decisions, ever = (
        estimate_rates(each, drawn, sample.spread) for each, drawn in zip(profiles, resampled[:3], strict=True)
    )
    folds = [
        (judged.score[sample.rows][mine], label[mine], sample.vehicles.code[mine])
        for judged, fold in zip(repeats, sample.folds, strict=True)
        for mine in (np.flatnonzero(fold == number) for number in range(int(fold.max()) + 1))
    ]
    return ClassifierResult(
        name,
        rates,
        estimate_rankings(folds, vehicles=attacks.size, resampler=sample.resampler, spread=sample.spread),
        VehicleResult(
            decisions,
            _turn(ever["specificity"]),
            ever["recall"],
            estimate_waits(waits, lengths, resampled[3], sample.spread),
        ),
        {each: _foresee(profiles[0], resampled[0], each, sample.spread) for each in how.prevalences},
        trace_curves([count_steps(score, truth) for score, truth, _code in folds]),
        importance,
        ladder,
    )


def _profile(sample: Sample, judged: Judged) -> Profiles:
    alarm, vehicles = judged.alarm[sample.rows], sample.vehicles
    return profile_alarms(vehicles.code, sample.examples.label, alarm, vehicles=vehicles.hashes.size)


def _add(profiles: list[Profiles]) -> Profiles:
    """Add profiles of the same vehicles up."""
    return Profiles(
        np.sum([each.negative for each in profiles], axis=0), np.sum([each.positive for each in profiles], axis=0)
    )


def _profile_waits(sample: Sample, repeats: list[Judged]) -> tuple[Profiles, NDArray[np.int64]]:
    """Count vehicles by the messages that they send until the first alarm."""
    order = order_messages(sample.examples, sample.vehicles.code)
    label, code = sample.examples.label[order], sample.vehicles.code[order]
    attacks = sample.vehicles.attacks
    waits = [count_waits(each.alarm[sample.rows][order], label, code, attacks=attacks) for each in repeats]
    return profile_waits(waits, attacks)


def _foresee(alarms: Profiles, resampled: Profiles | None, prevalence: float, spread: Spread | None) -> Estimate:
    """Estimate the precision of alarms where attackers' messages have another share of all."""
    drawn = None if resampled is None else _find_precision(resampled, prevalence)
    return estimate(float(_find_precision(add_all(alarms), prevalence)), drawn, spread)


def _find_precision(alarms: Profiles, prevalence: float) -> NDArray[np.float64]:
    """Return the precision that recall and false positive rate give at a prevalence; NaN where nothing alarms."""
    rates = compute_rates(as_matrices(alarms))
    right = prevalence * rates["recall"]
    wrong = (1 - prevalence) * (1 - rates["specificity"])
    with np.errstate(invalid="ignore"):
        return np.asarray(right / (right + wrong))


def _turn(share: Estimate) -> Estimate:
    """Return the estimate of 1 - share."""
    value, low, high = (None if each is None else 1 - each for each in share)
    return Estimate(value, high, low)
