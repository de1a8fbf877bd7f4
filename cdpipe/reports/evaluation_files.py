"""Files of an evaluation: tables, pictures of curves, predictions."""

from pathlib import Path
from typing import Final

from cdpipe.reports.curve_plots import CURVE_FILES, plot_curves
from cdpipe.reports.evaluation_tables import TABLE_FILES, write_tables
from cdpipe.reports.predictions import PREDICTIONS, write_predictions
from cdpipe.training.evaluation.result import Evaluation

EVALUATION_FILES: Final = (*TABLE_FILES, *CURVE_FILES, PREDICTIONS)
"""Names of all that there can be."""


def write_evaluation(evaluation: Evaluation, folder: Path) -> list[str]:
    """Write what there is to be told of an evaluation; return the names of the files."""
    names = [*write_tables(evaluation, folder), *plot_curves(evaluation, folder)]
    if evaluation.predictions is not None:
        write_predictions(evaluation.predictions, folder / PREDICTIONS)
        names.append(PREDICTIONS)
    return names
