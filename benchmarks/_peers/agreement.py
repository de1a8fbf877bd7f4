"""Agreement: each result of each implementation held against the reference, within the stated tolerances."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks._peers import stages as s
from benchmarks._peers.implementation import Implementation
from benchmarks._peers.reference import SIGNS, Messages, distance_m, order_messages, read_ids, read_messages

SPHERE: Final = 0.006
"""The mean sphere's distances differ from the ellipsoid's by less than this share (0.56 %, along a meridian)."""
ATTACKERS_SIGMA: Final = 4.0
"""The peers may choose each vehicle alone: then their number is binomial."""

_AFTER: Final = (s.ID, *SIGNS, "x_pos", "y_pos")


class Referee:
    """Holds results against the reference, which is read when it is first needed.

    Parameters
    ----------
    parquet
        The messages.
    """

    def __init__(self, parquet: Path) -> None:
        self._parquet = parquet
        self._clean: Messages | None = None
        self._raw: Any = None

    @property
    def clean(self) -> Messages:
        """The messages that cleaning must leave."""
        if self._clean is None:
            self._clean = read_messages(self._parquet)
        return self._clean

    def judge(self, stage: s.Stage, one: Implementation, result: Any) -> tuple[int, list[str]]:
        """Judge a result.

        Returns
        -------
        rows
            How many rows it has.
        complaints
            What is wrong with it, each naming stage and implementation; none if nothing is.
        """
        if stage.task == "gather":
            rows, wrong = self._judge_gathered(result)
        else:
            labelled = stage.task in ("attack", "features", "chain", "job")
            found = order_messages(one.table(result, (*_AFTER, s.LABEL) if labelled else _AFTER))
            before = self.clean
            if stage.local:
                before = order_messages(one.table(one.take("local"), _AFTER))
            rows, wrong = found.key.size, list(self._judge_rows(stage, one, found, before))
        return rows, [f"{stage.name}, {one.name}: {each}" for each in wrong]

    def _judge_rows(self, stage: s.Stage, one: Implementation, found: Messages, before: Messages) -> Iterator[str]:
        if stage.task in ("spatial", "chain", "job"):
            yield from self._judge_circle(found, stage.radius_m)
        elif not np.array_equal(found.key, before.key):
            yield f"{found.key.size:,} rows, and not the {before.key.size:,} that cleaning must leave"
            return
        place = np.searchsorted(before.key, found.key)
        if place.size and (place[-1] == before.key.size or np.any(before.key[place] != found.key)):
            yield "it has rows that cleaning must drop"
            return
        start = before.take(place)
        if not np.array_equal(start.vehicle, found.vehicle):
            yield "ids differ"
        if found.attacker is None:
            if not (np.array_equal(found.x, start.x) and np.array_equal(found.y, start.y)):
                yield "positions differ from the numbers in the text"
            return
        yield from _judge_labels(found, exact=one.name == s.OURS)
        yield from _judge_moves(stage, found, start)

    def _judge_circle(self, found: Messages, radius_m: float) -> Iterator[str]:
        away = distance_m(self.clean.x, self.clean.y, s.CENTRE_LON, s.CENTRE_LAT, local=False)
        surely = self.clean.key[away < radius_m * (1 - SPHERE)]
        perhaps = self.clean.key[away <= radius_m * (1 + SPHERE)]
        if missing := np.setdiff1d(surely, found.key, assume_unique=True).size:
            yield f"{missing:,} rows are missing that are within the radius by more than {SPHERE:.1%}"
        if strange := np.setdiff1d(found.key, perhaps, assume_unique=True).size:
            yield f"{strange:,} rows are outside the radius by more than {SPHERE:.1%}"

    def _judge_gathered(self, path: Path) -> tuple[int, list[str]]:
        import pyarrow.dataset
        import pyarrow.parquet as pq

        if self._raw is None:
            self._raw = pq.read_table(self._parquet, columns=[_SERIAL, s.ID, *s.POSITION])
        names = pq.read_schema(self._parquet).names
        dataset = pyarrow.dataset.dataset(path, exclude_invalid_files=True)
        if missing := set(names) - set(dataset.schema.names):
            return 0, [f"columns are missing: {', '.join(sorted(missing))}"]
        found = dataset.to_table(columns=self._raw.column_names)
        if found.num_rows != self._raw.num_rows:
            return found.num_rows, [f"{found.num_rows:,} rows, and not {self._raw.num_rows:,}"]
        (order, expected_order), wrong = (np.argsort(each[_SERIAL].to_numpy()) for each in (found, self._raw)), []
        if not np.array_equal(read_ids(found[s.ID])[order], read_ids(self._raw[s.ID])[expected_order]):
            wrong.append("ids differ")
        wrong += [
            f"{name} differs"
            for name in s.POSITION
            if not _same(found[name].to_numpy()[order], self._raw[name].to_numpy()[expected_order])
        ]
        return found.num_rows, wrong


_SERIAL: Final = "metadata_serialId_serialNumber"


def _same(found: NDArray[np.float64], expected: NDArray[np.float64]) -> bool:
    """Say whether numbers are equal but for a last bit: pandas' own CSV parser is not exact."""
    return bool(np.allclose(found, expected, rtol=4 * np.finfo(float).eps, atol=0, equal_nan=True))


def _judge_labels(found: Messages, *, exact: bool) -> Iterator[str]:
    vehicles, place = np.unique(found.vehicle, return_inverse=True)
    attacking = np.bincount(place, weights=found.attacker)
    if np.any((attacking > 0) & (attacking < np.bincount(place))):
        yield "a vehicle attacks with some of its messages only"
    count, wanted = int(np.count_nonzero(attacking)), round(s.RATIO * vehicles.size)
    slack = 0.0 if exact else 1 + ATTACKERS_SIGMA * np.sqrt(s.RATIO * (1 - s.RATIO) * vehicles.size)
    if abs(count - wanted) > slack:
        yield f"{count:,} of {vehicles.size:,} vehicles attack, and not {wanted:,}"


def _judge_moves(stage: s.Stage, found: Messages, start: Messages) -> Iterator[str]:
    """Judge where attackers claim to be: how far from where they are, or for overrides from the centre."""
    hit = found.attacker
    if not (np.array_equal(found.x[~hit], start.x[~hit]) and np.array_equal(found.y[~hit], start.y[~hit])):
        yield "messages of vehicles that do not attack have moved"
    if stage.kind == "swap_rand":
        claimed, real = (found.x + 1j * found.y)[hit], start.x + 1j * start.y
        if not np.isin(claimed, real).all() or np.any(claimed == real[hit]):
            yield "attackers claim positions that are no other message's"
        return
    found, start = found.take(hit), start.take(hit)
    if stage.kind.startswith("override"):
        x0, y0 = (0.0, 0.0) if stage.local else (s.CENTRE_LON, s.CENTRE_LAT)
        start = start._replace(x=np.full(start.x.shape, x0), y=np.full(start.y.shape, y0))
    moved = distance_m(start.x, start.y, found.x, found.y, local=stage.local)
    low, high = (s.DISTANCE_M,) * 2 if stage.kind.endswith("_const") else (s.MIN_M, s.MAX_M)
    if moved.size and not (low * (1 - SPHERE) <= moved.min() and moved.max() <= high * (1 + SPHERE)):
        yield f"attackers moved by {moved.min():.6g} to {moved.max():.6g} m, and not by {low:g} to {high:g} m"
    if stage.kind == "offset_const_per_id":
        _, place = np.unique(found.vehicle, return_inverse=True)
        mean = np.bincount(place, weights=moved) / np.bincount(place)
        if np.any(np.abs(moved - mean[place]) > SPHERE * moved):
            yield "a vehicle moved by more than one distance"
