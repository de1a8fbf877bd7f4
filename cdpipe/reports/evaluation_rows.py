"""Rows of an evaluation for a terminal of 80 columns."""

from typing import Final

from cdpipe.reports.evaluation_tables import format_cell
from cdpipe.training.evaluation.intervals import Estimate
from cdpipe.training.evaluation.result import Evaluation

MESSAGE_HEADINGS: Final = ("classifier", "MCC", "macro-F1", "ROC area")
VEHICLE_HEADINGS: Final = ("classifier", "vehicle MCC", "honest alarmed", "first alarm")
"""Headings of the rows, in their order."""


def title_evaluation(evaluation: Evaluation) -> str:
    """Return what was tested, and how."""
    how = "one split" if evaluation.folds == 1 else f"{evaluation.folds} folds of vehicles"
    repeats = f", {evaluation.repeats} times" if evaluation.repeats > 1 else ""
    return f"evaluation: {how}{repeats}; 95 % intervals over {evaluation.vehicles:,} vehicles"


def list_message_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Return a row for each classifier: how well it labels and ranks messages."""
    return [
        (
            each.classifier,
            *(_show(figure) for figure in (each.rates["mcc"], each.rates["macro_f1"], each.rankings["roc_auc"])),
        )
        for each in evaluation.classifiers
    ]


def list_vehicle_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """Return a row for each classifier: what its alarms say of vehicles, and after how many messages of an attacker."""
    return [
        (
            each.classifier,
            _show(each.vehicles.decisions["mcc"]),
            _show(each.vehicles.honest_alarmed),
            format_cell(each.vehicles.waits.median, 0),
        )
        for each in evaluation.classifiers
    ]


def _show(estimate: Estimate) -> str:
    return format_cell(estimate, 2)
