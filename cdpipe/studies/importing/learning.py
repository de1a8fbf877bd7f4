"""Learning: features, split and classifiers of a foreign configuration."""

from collections.abc import Iterator
from typing import Any, Final

from cdpipe.columns import IS_ATTACKER, canonical
from cdpipe.studies.importing.given import Given, Setting, as_flag, as_number, as_share, show
from cdpipe.studies.importing.spellings import FEATURES, SPLITS, find_classifier, fold

_SPLIT: Final = "ml.train_test_split"
_FIXED: Final = (80_000, 20_000)
"""Messages that train and test by the fixed split, where the file does not say."""
_SEEDS: Final = (f"{_SPLIT}.random_seed", f"{_SPLIT}.random_state", f"{_SPLIT}.seed")


def read_features(given: Given) -> Iterator[Setting]:
    """Give the features: a set by its name, or a list without the label."""
    names = ("ml.features", "features.columns", "template_config.feature_set", "features.feature_set")
    said = given.take(*names)
    if said is None:
        return
    source = f"{given.name(*names)} = {show(said)}"
    if isinstance(said, str):
        columns: Any = FEATURES.get(fold(said))
        if columns is None:
            given.lose(f"{source}: no set of features is known by that name; the default stands for it")
            return
        yield Setting(("features", "columns"), list(columns) if isinstance(columns, tuple) else columns, source)
        return
    if not isinstance(said, list) or not all(isinstance(each, str) for each in said):
        given.lose(f"{source}: is neither a set of features nor a list of columns")
        return
    listed = [each for each in dict.fromkeys(map(canonical, said)) if each != IS_ATTACKER]
    made = [each for each in listed if each.startswith("traj_")]
    if made:
        said = f"{given.name(*names)}: {', '.join(made)}"
        given.lose(f"{said}: that program computes them from trajectories; features.history is nearest")
    yield Setting(("features", "columns"), [each for each in listed if each not in made], source)


def read_classifiers(given: Given) -> Iterator[Setting]:
    """Give the classifiers and how they are set."""
    said = given.take("ml.classifiers", "ml.classifier")
    listed = [said] if isinstance(said, str) else said
    if listed is not None and not isinstance(listed, list):
        given.lose(f"ml.classifiers = {show(said)}: is no list of names; the default stands for it")
    elif listed is not None:
        known = {str(each): find_classifier(str(each)) for each in listed}
        for name in (name for name, ours in known.items() if ours is None):
            given.lose(f"ml.classifiers: {show(name)} is no classifier here")
        found = list(dict.fromkeys(ours for ours in known.values() if ours is not None))
        yield Setting(("train", "classifiers"), found, f"ml.classifiers = {show(said)}")
    trees = given.take("_special_features.rf_n_estimators", "ml.n_estimators", "ml.rf_n_estimators")
    if trees is not None:
        yield Setting(("train", "trees"), trees, f"{given.name('_special_features.rf_n_estimators')} = {show(trees)}")
    grid = given.take("_special_features.grid_search", "ml.grid_search")
    if (flag := as_flag(grid)) is not False:
        given.say("changed", "grid_search: trees and neighbors are tried, by folds of the vehicles that train")
        yield Setting(("train", "grid_search"), grid if flag is None else flag, f"grid_search = {show(grid)}")


def read_importance(given: Given) -> Iterator[Setting]:
    """Give whether features are told what they are good for; it goes with the split, so that comes first."""
    wanted = given.take("_special_features.feature_importance", "ml.feature_importance")
    if (flag := as_flag(wanted)) is not False:
        given.say("changed", "feature_importance: groups of features are shuffled on the test side, and scores drop")
        evaluation: dict[str, Any] = {"folds": 1, "ladder": [], "importance": wanted if flag is None else flag}
        yield Setting(("train", "evaluation"), evaluation, f"feature_importance = {show(wanted)}")


def read_split(given: Given, *, has_places: bool) -> Iterator[Setting]:
    """Give which messages train and which test."""
    if given.take(f"{_SPLIT}.shuffle") is False:
        given.lose(
            f"{_SPLIT}.shuffle = false: there the first rows trained and the last tested; split = 'time' is nearest"
        )
    seed = given.take(*_SEEDS)
    if seed is not None:
        given.say("changed", "seeds: the same number draws other vehicles and distances here than there")
        yield Setting(("train", "seed"), seed, f"{given.name(*_SEEDS)} = {show(seed)}")
    kind = given.take(f"{_SPLIT}.type", f"{_SPLIT}.method", f"{_SPLIT}.strategy")
    folded = fold("random" if kind is None else kind)
    sizes = [given.take(f"{_SPLIT}.{side}_size") for side in ("train", "test")]
    if folded == "fixedsize" or any((as_number(size) or 0) > 1 for size in sizes):
        yield from _read_sizes(given, sizes, is_fixed=folded == "fixedsize")
        return
    if folded == "alldata":
        _forget_ratios(given)
        yield Setting(("train", "split"), "all_data", f"{_SPLIT}.type = {show(kind)}")
        return
    if not given.has(_SPLIT):
        return
    ours = SPLITS.get(folded)
    if ours is None:
        given.lose(f"{_SPLIT}.type = {show(kind)}: no split is known by that name; split = 'row' stands for it")
    if not has_places:
        yield Setting(("train", "split"), ours or "row", f"{_SPLIT}.type = {show(kind or 'random')}")
        if ours == "row":
            given.say("changed", LEAK)
    yield from _read_ratio(given)


LEAK: Final = (
    "the random split is train.split = 'row', which leaks: a vehicle's messages are on both sides, and every score is "
    "flattered; 'vehicle' does not"
)


def _read_sizes(given: Given, sizes: list[Any], *, is_fixed: bool) -> Iterator[Setting]:
    _forget_ratios(given)
    if is_fixed and None in sizes:
        given.say("changed", f"{_SPLIT}: fixed sizes that are not said are {_FIXED[0]:,} and {_FIXED[1]:,} there")
        sizes = [usual if size is None else size for size, usual in zip(sizes, _FIXED, strict=True)]
    yield Setting(("train", "split"), "row", f"{_SPLIT}.type")
    given.say("changed", LEAK)
    said = dict(zip(("train_rows", "test_rows"), sizes, strict=True))
    found = {ours: as_number(size) for ours, size in said.items()}
    whole = {ours: int(size) for ours, size in found.items() if size is not None and size.is_integer()}
    if len(whole) < 2:
        given.lose(
            f"{_SPLIT}: train_size and test_size are {show(sizes[0])} and {show(sizes[1])}; both must be whole numbers"
        )
        return
    yield Setting(("train",), whole, f"{_SPLIT}: {sizes[0]} messages train and {sizes[1]} test")


def _forget_ratios(given: Given) -> None:
    """Count shares as asked for, where the split has none."""
    for side in ("train", "test"):
        given.take(f"{_SPLIT}.{side}_ratio")


def _read_ratio(given: Given) -> Iterator[Setting]:
    trains = as_share(given, f"{_SPLIT}.train_ratio", f"{_SPLIT}.train_size")
    tests = as_share(given, f"{_SPLIT}.test_ratio", f"{_SPLIT}.test_size")
    if trains is not None and tests is not None and abs(trains + tests - 1) > 1e-9:
        given.lose(
            f"{_SPLIT}: {trains:g} trains and {tests:g} tests, which is not all; {tests:g} tests, the rest trains"
        )
    ratio = tests if tests is not None else None if trains is None else round(1 - trains, 12)
    if ratio is not None:
        yield Setting(("train", "test_ratio"), ratio, f"{_SPLIT}: {ratio:g} tests")
