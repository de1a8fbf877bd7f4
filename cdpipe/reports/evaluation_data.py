"""An evaluation as JSON-able values, for report.json."""

from typing import Any

from cdpipe.training.evaluation.intervals import CONFIDENCE, Estimate
from cdpipe.training.evaluation.ladder import is_leak
from cdpipe.training.evaluation.result import ClassifierResult, Evaluation, RungResult


def describe_interval(estimate: Estimate) -> list[float | None] | None:
    """Return an interval as [low, high]; None where there is none."""
    return None if estimate.low is None and estimate.high is None else [estimate.low, estimate.high]


def describe_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation; undefined values are None."""
    return {
        "label": evaluation.label,
        "folds": evaluation.folds,
        "repeats": evaluation.repeats,
        "resamples": evaluation.resamples,
        "confidence": CONFIDENCE,
        "vehicles": evaluation.vehicles,
        "attackers": evaluation.attackers,
        "messages": evaluation.messages,
        "positive_share": evaluation.positive_share,
        "classifiers": [_describe(each) for each in evaluation.classifiers],
        "baselines": [
            {"feature": each.feature, "suspicious": each.suspicious, **_describe_all(each.rankings)}
            for each in evaluation.baselines
        ],
    }


def _describe(result: ClassifierResult) -> dict[str, Any]:
    vehicles = result.vehicles
    return {
        "name": result.classifier,
        "messages": _describe_all(result.rates) | _describe_all(result.rankings),
        "vehicles": {
            **_describe_all(vehicles.decisions),
            "honest_alarmed": _describe_one(vehicles.honest_alarmed),
            "attackers_alarmed": _describe_one(vehicles.attackers_alarmed),
            "messages_to_first_alarm": {
                "median": _describe_one(vehicles.waits.median),
                "ninth_decile": _describe_one(vehicles.waits.ninth_decile),
            },
        },
        "precision_at_prevalence": [
            {"prevalence": share, **_describe_one(each)} for share, each in result.precisions.items()
        ],
        "importance": [
            {"group": each.group, "features": list(each.features), "mcc_fall": _describe_one(each.fall)}
            for each in result.importance
        ],
        "ladder": [_describe_rung(each) for each in result.ladder],
    }


def _describe_rung(rung: RungResult) -> dict[str, Any]:
    figures = {"mcc": rung.mcc, "macro_f1": rung.macro_f1, "mcc_excess_over_vehicle": rung.excess}
    return {
        "rung": rung.rung,
        **{name: None if each is None else _describe_one(each) for name, each in figures.items()},
        "is_leak": is_leak(rung),
        "missing": rung.missing,
    }


def _describe_all(estimates: dict[str, Estimate]) -> dict[str, Any]:
    return {name: _describe_one(each) for name, each in estimates.items()}


def _describe_one(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "interval": describe_interval(estimate)}
