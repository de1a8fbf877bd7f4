"""Importance: by how much a classifier gets worse when a group of features tells it nothing."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cdpipe.columns import VEHICLE_ID, X_POS, Y_POS
from cdpipe.kernels.draws.keyed import PERMUTE
from cdpipe.kernels.draws.thresholds import bottom_k
from cdpipe.training.classifiers import Judge, Matrix
from cdpipe.training.evaluation.intervals import Spread, add_all, as_matrices, estimate
from cdpipe.training.evaluation.resampling import Profiles, Resampler
from cdpipe.training.evaluation.result import GroupImportance
from cdpipe.training.metrics import compute_rates

_GROUPS: Final = {
    "position": (X_POS, Y_POS, "coreData_position_lat", "coreData_position_long"),
    "height": ("coreData_elevation",),
    "motion": ("coreData_speed", "coreData_heading"),
    "identity": (VEHICLE_ID,),
    "time": ("month", "day", "year", "hour", "minute", "second", "pm", "coreData_secMark"),
}
_PREFIXES: Final = {
    "history_": "history",
    "check_": "checks",
    "coreData_accelset_": "acceleration",
    "coreData_accuracy_": "accuracy",
    "metadata_": "records",
}
_PURPOSES: Final = 256


def group_features(names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Return the indices of the features of each group, by the group's name; a feature of no group is one by itself."""
    of = {name: group for group, members in _GROUPS.items() for name in members}
    groups: dict[str, tuple[int, ...]] = {}
    for place, name in enumerate(names):
        prefix = next((group for start, group in _PREFIXES.items() if name.startswith(start)), name)
        group = of.get(name, prefix)
        groups[group] = (*groups.get(group, ()), place)
    return groups


def permute(rows: Matrix, places: tuple[int, ...], row_number: NDArray[np.int64], *, seed: int, group: int) -> Matrix:
    """Return features in which those at some indices are other messages', together.

    Parameters
    ----------
    rows
        Features, shape (n, features).
    places
        Features to permute.
    row_number
        Of the messages, shape (n,): they and the seed decide the order.
    seed, group
        Of the draw.
    """
    order = bottom_k(row_number, seed=seed, purpose=PERMUTE + _PURPOSES * group, k=row_number.size)
    mixed = rows.copy()
    for place in places:
        mixed[:, place] = rows[order, place]
    return mixed


class Permuted:
    """What a classifier says of messages when groups of features are permuted, one group at a time.

    Parameters
    ----------
    names
        Of the features.
    row_number
        Of all messages, shape (n,).
    seed
        Of the draws.
    """

    def __init__(self, names: tuple[str, ...], row_number: NDArray[np.int64], *, seed: int) -> None:
        self.groups = group_features(names)
        self._names, self._row_number, self._seed = names, row_number, seed
        self.alarm: dict[str, dict[str, NDArray[np.int8]]] = {}
        """By classifier and group, shape (n,)."""

    def see(self, name: str, judge: Judge, tested: NDArray[np.intp], rows: Matrix) -> None:
        """Have a classifier that was fitted judge the messages it tests once for each group."""
        alarms = self.alarm.setdefault(name, {})
        for number, (group, places) in enumerate(self.groups.items()):
            alarm = alarms.setdefault(group, np.zeros(self._row_number.size, np.int8))
            mixed = permute(rows, places, self._row_number[tested], seed=self._seed, group=number)
            alarm[tested] = judge(mixed).label

    def features(self, group: str) -> tuple[str, ...]:
        """Return the names of a group's features."""
        return tuple(self._names[place] for place in self.groups[group])


def estimate_importance(
    whole: Profiles, permuted: dict[str, tuple[tuple[str, ...], Profiles]], resampler: Resampler, spread: Spread | None
) -> tuple[GroupImportance, ...]:
    """Estimate by how much MCC falls without each group.

    Parameters
    ----------
    whole
        Alarms on the features as they are.
    permuted
        By group: its features, and alarms where these are permuted.
    resampler
        Of the vehicles; a fall's interval is that of the difference within each resample.
    spread
        None: no intervals.
    """
    alarms = [whole, *(profiles for _features, profiles in permuted.values())]
    value, *others = (compute_rates(as_matrices(add_all(each)))["mcc"] for each in alarms)
    drawn: list[NDArray[np.float64] | None] = [None] * len(alarms)
    if spread is not None:
        drawn = [compute_rates(as_matrices(each))["mcc"] for each in resampler.add_up(alarms)]
    first = drawn[0]
    found = [
        GroupImportance(
            group,
            features,
            estimate(float(value - other), None if first is None or resampled is None else first - resampled, spread),
        )
        for (group, (features, _)), other, resampled in zip(permuted.items(), others, drawn[1:], strict=True)
    ]
    return tuple(sorted(found, key=lambda each: -(each.fall.value or 0.0)))
