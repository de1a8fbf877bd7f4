"""Memory of an evaluation, beyond that of training."""

from typing import Final, NamedTuple

from cdpipe.training.evaluation.params import EvaluationParams
from cdpipe.training.evaluation.ranking import CELLS, LEAST_BINS, MOST_BINS

_CELL_BYTES: Final = 24
"""A vehicle's count in a bin: of both labels, and their sum."""

_ROW_BYTES: Final = 128
"""Vehicle, order, sorted scores and their like, while the figures of one classifier are made."""


class Need(NamedTuple):
    """Bytes for each row, and bytes whatever the rows."""

    row: int
    fixed: int


def find_need(how: EvaluationParams, *, features: int, classifiers: int) -> Need:
    """Return what an evaluation needs at most, where each message can be of a vehicle of its own.

    Parameters
    ----------
    how
        What is evaluated.
    features, classifiers
        How many there are.
    """
    if not how.enabled:
        return Need(0, 0)
    said = 5 * classifiers * (how.repeats + 1)  # an alarm and a score, with one rung of the ladder beside
    permuted = features * classifiers + 5 * features if how.importance else 0
    kept = 5 * classifiers * how.repeats if how.predictions else 0
    bins = LEAST_BINS * _CELL_BYTES * how.repeats
    sums = 16 * how.resamples * MOST_BINS * how.folds * how.repeats
    return Need(_ROW_BYTES + 4 * features + 2 * how.repeats + said + permuted + kept + bins, CELLS * _CELL_BYTES + sums)
