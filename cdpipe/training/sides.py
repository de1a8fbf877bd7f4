"""Sides: which examples train, and which test; some may do neither, or both."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.draws.keyed import SAMPLE, SPLIT
from cdpipe.kernels.draws.thresholds import choose_threshold, is_chosen
from cdpipe.training.examples import Examples
from cdpipe.training.split import split

if TYPE_CHECKING:
    from cdpipe.training.params import TrainParams

Mask = NDArray[np.bool_]


class Sides(NamedTuple):
    """Which examples train and which test, shape (n,) each."""

    trains: Mask
    tests: Mask


def choose_sides(examples: Examples, params: "TrainParams") -> Sides:
    """Say which examples train and which test.

    `place`: those of `test_places` test. `all_data`: all train, and all test: what was learnt is recalled, no more.
    With `train_rows` and `test_rows` exactly as many messages, drawn by row number, train and test. With `place_shares`
    as many messages as there can be are kept, drawn by row number, that places have their shares. Where an attack
    differs by side, the sides are those that it was made for.

    Parameters
    ----------
    examples
        Labelled messages.
    params
        How to split.

    Raises
    ------
    ValueError
        If a side would be empty, there are too few messages, or places are needed and none is known.
    """
    kept = _share_places(examples, params)
    if params.split == "all_data":
        return Sides(kept, kept)
    if params.train_rows is not None and params.test_rows is not None:
        return _draw_rows(examples.row_number, kept, params, train=params.train_rows, test=params.test_rows)
    tests = _find_tests(examples, kept, params)
    sides = Sides(kept & ~tests, kept & tests)
    if not (sides.trains.any() and sides.tests.any()):
        raise ValueError(
            f"a split by {params.split} puts {np.count_nonzero(sides.trains)} messages in training and "
            f"{np.count_nonzero(sides.tests)} in testing; both need some: change train.test_places, train.test_ratio "
            "or train.split, or train nothing: train.classifiers = []"
        )
    return sides


def _find_tests(examples: Examples, kept: Mask, params: "TrainParams") -> Mask:
    if examples.side.size and examples.side[0] >= 0:
        return np.asarray(examples.side == 1)
    if params.split == "place":
        _require_places(examples)
        return np.isin(examples.place, params.test_places or ())
    if params.split == "all_data":
        return kept
    tests = np.zeros(kept.size, np.bool_)
    tests[kept] = split(
        by=params.split,
        test_ratio=params.test_ratio,
        seed=params.seed,
        row_number=examples.row_number[kept],
        vehicle=examples.vehicle[kept],
        time_us=examples.time_us[kept],
        coarse=examples.coarse[kept],
    )
    return tests


def _require_places(examples: Examples) -> None:
    if not examples.place.any():
        raise ValueError(
            "training asks for places, and the messages are of none: set clean.filters.places = {centres = [...]}"
        )


def _share_places(examples: Examples, params: "TrainParams") -> Mask:
    """Return which examples are kept so that places have their shares of messages."""
    if params.place_shares is None:
        return np.ones(examples.label.size, np.bool_)
    _require_places(examples)
    counts = np.bincount(examples.place, minlength=len(params.place_shares) + 1)[1:]
    most = min(counts[place] / share for place, share in enumerate(params.place_shares) if share > 0)
    kept = np.zeros(examples.label.size, np.bool_)
    for place, share in enumerate(params.place_shares, 1):
        rows = np.flatnonzero(examples.place == place)
        kept[rows[_draw(examples.row_number[rows], int(share * most), seed=params.seed, purpose=SAMPLE)]] = True
    if not kept.any():
        raise ValueError(
            f"train.place_shares = {list(params.place_shares)}: the places have {counts.tolist()} messages, and none "
            "is left with these shares; change clean.filters.places or the shares"
        )
    return kept


def _draw_rows(row_number: NDArray[np.int64], kept: Mask, params: "TrainParams", *, train: int, test: int) -> Sides:
    places = np.flatnonzero(kept)
    if train + test > places.size:
        raise ValueError(
            f"train.train_rows is {train:,} and train.test_rows {test:,}, but there are {places.size:,} messages; "
            "lower one, or use train.test_ratio"
        )
    numbers = row_number[places]
    drawn = _draw(numbers, train + test, seed=params.seed, purpose=SPLIT)
    tests = _draw(numbers, test, seed=params.seed, purpose=SPLIT)
    sides = Sides(np.zeros(kept.size, np.bool_), np.zeros(kept.size, np.bool_))
    sides.trains[places[drawn & ~tests]] = True
    sides.tests[places[tests]] = True
    return sides


def _draw(numbers: NDArray[np.int64], count: int, *, seed: int, purpose: int) -> Mask:
    """Return exactly `count` of some row numbers, those with the least keys, as a mask."""
    key, last = choose_threshold(numbers, seed=seed, purpose=purpose, count=count)
    return is_chosen(numbers, seed=seed, purpose=purpose, threshold_key=key, threshold_hash=last)
