"""Evaluate: classifiers tested fold by fold, and what that says of them."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.training.evaluation.baselines import measure_baselines
from cdpipe.training.evaluation.folds import Folds, deal_vehicles, find_vehicles
from cdpipe.training.evaluation.importance import Permuted, estimate_importance
from cdpipe.training.evaluation.intervals import find_spread, profile_alarms
from cdpipe.training.evaluation.ladder import Alarms, climb, estimate_ladder
from cdpipe.training.evaluation.params import EvaluationParams, Rung
from cdpipe.training.evaluation.resampling import Profiles
from cdpipe.training.evaluation.result import Evaluation, GroupImportance, Predictions
from cdpipe.training.evaluation.rounds import Judged, Tell, judge_folds
from cdpipe.training.evaluation.summary import Sample, summarise, take_tested
from cdpipe.training.examples import Examples

if TYPE_CHECKING:
    from cdpipe.training.params import TrainParams


class Evaluated(NamedTuple):
    """What was found, the fold of each message in each repeat, and each classifier's word then."""

    evaluation: Evaluation
    folds: list[Folds]
    judged: dict[str, list[Judged]]


def evaluate(
    examples: Examples,
    names: tuple[str, ...],
    params: "TrainParams",
    *,
    split: Folds | None,
    threads: int,
    tell: Tell | None = None,
) -> Evaluated:
    """Fit every classifier on all folds except one, in turn, and tell what comes of it.

    Parameters
    ----------
    examples
        Messages, in the order of their row numbers.
    names
        Of their features.
    params
        Which classifiers, and how they are evaluated.
    split
        The one split, for `folds = 1`: 0 where a message tests, else -1.
    threads
        To use at most; results do not depend on it.
    tell
        Is told before each classifier is fitted.

    Raises
    ------
    ValueError
        If there are fewer vehicles than folds, or a round has one label only to learn.
    """
    how = params.evaluation
    everyone = find_vehicles(examples.vehicle, examples.label)
    repeats = (
        [deal_vehicles(everyone, folds=how.folds, seed=params.seed, repeat=repeat) for repeat in range(how.repeats)]
        if split is None
        else [split]
    )
    permuted = Permuted(names, examples.row_number, seed=params.seed) if how.importance else None
    see = None if permuted is None else permuted.see
    found = [
        judge_folds(examples, fold, params, threads=threads, names=names, see=see if place == 0 else None, tell=tell)
        for place, fold in enumerate(repeats)
    ]
    judged = {name: [each[name] for each in found] for name in params.classifiers}
    known: dict[Rung, dict[str, Judged]] = {} if how.folds == 1 else {"vehicle": found[0]}
    ladder = {}
    if how.ladder:
        ladder = climb(
            examples, everyone, names, params, folds=_count_folds(params), known=known, threads=threads, tell=tell
        )
    sample = take_tested(examples, repeats, seed=params.seed, how=how)
    return Evaluated(_tell(sample, names, judged, permuted, ladder, params=params, how=how), repeats, judged)


def _count_folds(params: "TrainParams") -> int:
    """Return the folds of the ladder: as many as there are; for one split, folds of its test side's size."""
    return params.folds if params.folds > 1 else max(2, round(1 / params.test_ratio))


def _tell(
    sample: Sample,
    names: tuple[str, ...],
    judged: dict[str, list[Judged]],
    permuted: Permuted | None,
    ladder: dict[str, Alarms],
    *,
    params: "TrainParams",
    how: EvaluationParams,
) -> Evaluation:
    """Put together what was found."""
    label, vehicles = sample.examples.label, sample.vehicles
    results = tuple(
        summarise(
            name,
            sample,
            each,
            how,
            importance=() if permuted is None else _weigh_groups(permuted, name, sample, each[0]),
            ladder=estimate_ladder(ladder.get(name, {}), resampler=sample.resampler_of_all, folds=_count_folds(params)),
        )
        for name, each in judged.items()
    )
    alone = find_spread(vehicles=vehicles.hashes.size, folds=1) if sample.spread else None
    return Evaluation(
        label=params.label,
        folds=how.folds,
        repeats=how.repeats,
        resamples=how.resamples,
        vehicles=vehicles.hashes.size,
        attackers=int(vehicles.attacks.sum()),
        messages=label.size,
        positive_share=float(label.mean()),
        classifiers=results,
        baselines=measure_baselines(
            sample.examples.matrix, label, vehicles, names, resampler=sample.resampler, spread=alone
        ),
        predictions=_keep(sample, judged) if how.predictions else None,
    )


def _weigh_groups(permuted: Permuted, name: str, sample: Sample, judged: Judged) -> tuple[GroupImportance, ...]:
    """Estimate what each group of features is worth to a classifier."""
    count = sample.vehicles.hashes.size

    def profile(alarm: NDArray[np.int8]) -> Profiles:
        return profile_alarms(sample.vehicles.code, sample.examples.label, alarm[sample.rows], vehicles=count)

    groups = {
        group: (permuted.features(group), profile(alarm)) for group, alarm in permuted.alarm.get(name, {}).items()
    }
    return estimate_importance(profile(judged.alarm), groups, sample.resampler, sample.spread)


def _keep(sample: Sample, judged: dict[str, list[Judged]]) -> Predictions:
    """Return what was said of each message that tests."""
    examples = sample.examples
    return Predictions(
        examples.row_number,
        examples.vehicle,
        examples.time_us,
        examples.label,
        np.stack(sample.folds),
        {name: np.stack([each.alarm[sample.rows] for each in repeats]) for name, repeats in judged.items()},
        {name: np.stack([each.score[sample.rows] for each in repeats]) for name, repeats in judged.items()},
    )
