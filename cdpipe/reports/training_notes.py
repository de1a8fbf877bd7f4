"""Notes: what a reader of the metrics must know before believing them."""

from collections.abc import Iterator
from typing import Final

from cdpipe.reports.evaluation_tables import format_cell
from cdpipe.training.evaluation.intervals import Estimate
from cdpipe.training.evaluation.ladder import is_leak
from cdpipe.training.evaluation.ranking import LEAST_HONEST
from cdpipe.training.evaluation.resampling import LEAST_VEHICLES
from cdpipe.training.evaluation.result import Evaluation
from cdpipe.training.train import Trained

CONSTANT: Final = frozenset({"offset_const", "offset_const_per_id"})
"""Attacks that move all of a vehicle's messages alike."""


def write_notes(trained: Trained, *, attack: str | None = None, split: str = "vehicle") -> tuple[str, ...]:
    """Return sentences on what the metrics do not show.

    Parameters
    ----------
    trained
        What training gave.
    attack
        Kind of attack, where it is known.
    split
        How one split was made.
    """
    found: list[str] = []
    if trained.fitted and all(each.low is None for each in _mcc(trained).values()):
        found.append(
            f"no intervals: they need {LEAST_VEHICLES} attackers and {LEAST_VEHICLES} honest vehicles that test"
        )
    if trained.evaluation is None and split == "row":
        found.append(
            "a split by row has messages of one vehicle on both sides, which flatters every score; "
            "train.evaluation.ladder tells by how much"
        )
    found += _find_nothing_shown(trained, attack)
    if trained.evaluation is not None:
        found += [*_find_leaks(trained.evaluation), *_find_better_baselines(trained.evaluation)]
        found += _find_unresolved(trained.evaluation)
    return tuple(found)


def describe_sides(trained: Trained) -> str:
    """Return what the metrics rest on, and the score that they must beat."""
    return (
        f"metrics on {trained.test_rows:,} messages of {trained.test_vehicles:,} vehicles, trained on "
        f"{trained.train_rows:,}; always naming the commoner class scores {trained.majority_rate:.4f}"
    )


def _mcc(trained: Trained) -> dict[str, Estimate]:
    return {each.classifier: each.estimates.get("mcc", Estimate(None)) for each in trained.fitted}


def _find_nothing_shown(trained: Trained, attack: str | None) -> Iterator[str]:
    """Name the classifiers that have not been shown to find anything."""
    blind = {name: mcc for name, mcc in _mcc(trained).items() if mcc.holds(0)}
    for name, mcc in blind.items():
        yield (
            f"{name}: the interval of MCC, {format_cell(mcc)}, holds 0: it is not shown to tell attackers from others"
        )
    if blind and attack in CONSTANT:
        yield f"{attack} moves all of a vehicle's messages alike: history features see only changes, and cannot see it"


def _find_leaks(evaluation: Evaluation) -> Iterator[str]:
    """Name the ways to make folds that show more than whole vehicles do."""
    for result in evaluation.classifiers:
        whole = next((each for each in result.ladder if each.rung == "vehicle"), None)
        for each in result.ladder:
            if is_leak(each) and each.mcc is not None and whole is not None and whole.mcc is not None:
                name = "a row split is a leak" if each.rung == "row" else f"folds by {each.rung} show more"
                yield (
                    f"{result.classifier}: {name}: MCC {each.mcc.value:.3f} by {each.rung}, {whole.mcc.value:.3f} by "
                    "vehicle"
                )


def _find_better_baselines(evaluation: Evaluation) -> Iterator[str]:
    """Name the classifiers that rank no better than one feature as it is."""
    best = next(iter(evaluation.baselines), None)
    area = None if best is None else best.rankings["roc_auc"].value
    if best is None or area is None:
        return
    for result in evaluation.classifiers:
        own = result.rankings["roc_auc"].value
        if own is not None and own <= area:
            yield (
                f"{result.classifier}: ROC area {own:.3f}; {best.feature} as it is, untrained, has {area:.3f} "
                f"({best.suspicious} values suspicious)"
            )


def _find_unresolved(evaluation: Evaluation) -> Iterator[str]:
    if any(
        each.rankings["tpr_at_1_percent_fpr"].value is None and each.rankings["roc_auc"].value is not None
        for each in evaluation.classifiers
    ):
        yield f"no true positive rate at 1 % false: a fold has fewer than {LEAST_HONEST} honest messages"
