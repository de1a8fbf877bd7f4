"""Made configurations of the documented shapes, each choice with what it must mean here.

A document takes one choice of each axis. The first lot has every choice of every axis at least `TIMES` times beside
choices drawn for the others; the draws are a seed's.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

TIMES = 6
X, Y = -106.0831353, 41.5430216


class Choice(NamedTuple):
    """What one axis says: tables to merge, what holds of our configuration, and a part of each sentence of loss."""

    name: str
    tables: dict[str, Any]
    holds: Callable[[Any], bool] = lambda _: True
    loses: str = ""


def _number_forms(value: float) -> list[Any]:
    return [value, float(value), str(value)]


def filterings() -> Iterator[Choice]:
    """Centre and radius, in all spellings."""
    for distance in ("distance_meters", "radius_meters"):
        for east, north in (("center_x", "center_y"), ("center_longitude", "center_latitude")):
            for uses in (True, False, None):
                for kind in ("xy_offset_position", "within_range", "passthrough", None):
                    for radius in _number_forms(2000):
                        table = {"type": kind, distance: radius, east: X, north: Y, "use_xy_coords": uses}
                        local = uses if uses is not None else kind == "xy_offset_position"
                        kept = None if kind == "passthrough" else 2000

                        def holds(made, local=local, kept=kept):
                            within = made.clean.filters.within
                            same = (made.clean.centre.longitude, made.clean.centre.latitude) == (X, Y)
                            coordinates = "local" if local else "geographic"
                            radius_m = within.radius_m if within else None
                            return same and made.clean.coordinates == coordinates and radius_m == kept

                        yield Choice(f"{distance} {east} {uses} {kind} {radius!r}", _data(filtering=table), holds)
    text = {"distance_meters": "2000", "center_x": str(X), "center_y": str(Y)}
    yield Choice("numbers as text", _data(filtering=text), lambda made: made.clean.filters.within.radius_m == 2000)
    both = {"distance_meters": 2000, "center_x": X, "center_longitude": X, "center_y": Y, "center_latitude": Y}
    yield Choice("said twice", _data(filtering=both), lambda made: made.clean.filters.within.longitude == X)
    for empty in ({}, None, {"type": "passthrough"}, {"type": None}):
        yield Choice(f"no filter {empty}", _data(filtering=empty), lambda made: made.clean.filters.within is None)
    yield Choice(
        "centre alone", _data(filtering={"center_x": X, "center_y": Y}), lambda made: made.clean.centre.latitude == Y
    )
    yield Choice(
        "no centre", _data(filtering={"type": "xy_offset_position", "distance_meters": 2000}), loses="no centre"
    )


def dates() -> Iterator[Choice]:
    """Days as text and as numbers, with and without an end."""

    def days(first, last):
        return lambda made: (
            [str(day) for day in (made.clean.filters.dates.first, made.clean.filters.dates.last)] == [first, last]
        )

    for start, end in (("2021-04-01", "2021-04-30"), ("2021-04-01", None), ("04/01/2021", "04/02/2021")):
        last = {"2021-04-30": "2021-04-30", None: "2021-04-01", "04/02/2021": "2021-04-02"}[end]
        yield Choice(f"{start} {end}", _data(date_range={"start": start, "end": end}), days("2021-04-01", last))
    yield Choice(
        "with a time",
        _data(date_range={"start": "2021-04-01T00:00:00", "end": "2021-04-02 23:59:59"}),
        days("2021-04-01", "2021-04-02"),
    )
    for cast in (int, float, str, "{:02d}".format):
        first = {
            f"start_{part}": cast(value) for part, value in zip(("year", "month", "day"), (2021, 4, 2), strict=True)
        }
        last = {f"end_{part}": cast(value) for part, value in zip(("year", "month", "day"), (2021, 5, 3), strict=True)}
        yield Choice(f"numbers {cast}", _data(date_range=first | last), days("2021-04-02", "2021-05-03"))
        yield Choice(f"one day {cast}", _data(date_range=first), days("2021-04-02", "2021-04-02"))
        yield Choice(f"nulls {cast}", _data(date_range=first | dict.fromkeys(last)), days("2021-04-02", "2021-04-02"))
        yield Choice(
            f"end day {cast}", _data(date_range=first | {"end_day": cast(9)}), days("2021-04-02", "2021-04-09")
        )
    for nothing in ({}, None, {"start": None, "end": None}):
        yield Choice(f"no days {nothing}", _data(date_range=nothing), lambda made: made.clean.filters.dates is None)


def attacks() -> Iterator[Choice]:
    """Attacks: tables, kinds, ratios, seeds, distances, and settings that belong to another kind."""
    for table in ("attacks", "attack", "attack_parameters"):
        for theirs, ours in KINDS.items():
            for keys in KEYS:
                said: dict[str, Any] = {"type": theirs, keys[0]: 0.4, keys[1]: 7}
                said |= dict(zip(keys[2:4], (25, 75), strict=True))
                said |= {"direction_angle": 90, "distance_meters": 50, "enabled": True}

                def holds(made, ours=ours):
                    attack = made.attack
                    same = (attack.kind, attack.ratio, attack.seed) == (ours, 0.4, 7)
                    if hasattr(attack, "min_m"):
                        same = same and (attack.min_m, attack.max_m) == (25, 75)
                    if hasattr(attack, "distance_m"):
                        same = same and attack.distance_m == 50
                    return same

                yield Choice(f"{table} {theirs} {keys}", {table: said}, holds)
        for ratio, means in ((30, 0.3), ("0.3", 0.3), ("30%", 0.3), (0, 0.0), (1, 1.0), (1.0, 1.0), (0.05, 0.05)):
            yield Choice(
                f"{table} {ratio!r}",
                {table: {"type": "rand_offset", "attack_ratio": ratio}},
                lambda made, means=means: made.attack.ratio == means,
            )
        for seed, means in ((42.0, 42), ("42", 42), (None, 42), (0, 0)):
            yield Choice(
                f"{table} seed {seed!r}",
                {table: {"type": "swap_rand", "random_seed": seed}},
                lambda made, means=means: made.attack.seed == means,
            )
        for low, high in ((0, 10), (100, 100), ("100", "200"), (100.5, 200.5)):
            said = {"type": "rand_offset", "min_distance": low, "max_distance": high}
            yield Choice(
                f"{table} {low!r} to {high!r}",
                {table: said},
                lambda made, low=low, high=high: (made.attack.min_m, made.attack.max_m) == (float(low), float(high)),
            )
        for angle in (-45, 405, "45", 0.5):
            said = {"type": "const_offset", "direction_angle": angle, "distance_meters": "50", "ratio": 0.3}
            yield Choice(f"{table} angle {angle!r}", {table: said}, lambda made: made.attack.distance_m == 50)
        for enabled in (False, "false"):
            yield Choice(
                f"{table} {enabled!r}",
                {table: {"type": "rand_offset", "enabled": enabled, "min_distance": 3, "max_distance": 5}},
                lambda made: made.attack.ratio == 0,
            )
        yield Choice(f"{table} not there", {table: None})
    said = {"template_config": {"attack_type": "random_offset", "malicious_ratio": 0.25}}
    yield Choice("template", said, lambda made: (made.attack.kind, made.attack.ratio) == ("offset_rand", 0.25))


KINDS = {
    "rand_offset": "offset_rand",
    "random_offset": "offset_rand",
    "const_offset": "offset_const",
    "const_offset_per_id": "offset_const_per_id",
    "constant_offset_per_vehicle": "offset_const_per_id",
    "override_rand": "override_rand",
    "override_const": "override_const",
    "swap_rand": "swap_rand",
    "position_swap": "swap_rand",
    "RAND_OFFSET": "offset_rand",
}
KEYS = (
    ("attack_ratio", "random_seed", "min_distance", "max_distance"),
    ("ratio", "seed", "offset_distance_min", "offset_distance_max"),
    ("malicious_ratio", "seed", "min_distance", "max_distance"),
)


def features() -> Iterator[Choice]:
    """Sets and lists of features."""
    heading = ("coreData_id", "x_pos", "y_pos", "coreData_elevation", "coreData_heading", "coreData_speed")
    sets = {
        "minimal_xy_elev": "minimal_xy_elev",
        "minimal_xy_elev_heading_speed": heading,
        "extended_with_timestamps": "extended_timestamps",
        "all": "all",
        "ALL": "all",
    }
    listed = ["x_pos", "y_pos", "coredata_elevation", "isAttacker"]
    for table, key in (("features", "columns"), ("ml", "features")):
        for theirs, ours in sets.items():
            yield Choice(
                f"{table} {theirs}", {table: {key: theirs}}, lambda made, ours=ours: made.features.columns == ours
            )
        yield Choice(
            f"{table} list",
            {table: {key: listed}},
            lambda made: made.features.columns == ("x_pos", "y_pos", "coreData_elevation"),
        )
        yield Choice(f"{table} null", {table: {key: None}})
    yield Choice("set alone", {"features": "all"}, lambda made: made.features.columns == "all")
    yield Choice("list alone", {"features": listed}, lambda made: made.features.columns[0] == "x_pos")


def splits() -> Iterator[Choice]:
    """Splits, with sizes and seeds."""

    def split(**said):
        return {"ml": {"train_test_split": said}}

    for seed in ("random_seed", "random_state"):
        for share in (
            {"test_ratio": 0.25},
            {"test_size": 0.25},
            {"train_ratio": 0.75},
            {"train_ratio": 0.75, "test_ratio": 0.25},
            {"test_ratio": 25},
            {"test_ratio": "0.25"},
        ):
            for kind in ("random", None):
                yield Choice(
                    f"{kind} {share} {seed}",
                    split(type=kind, **share, **{seed: 5}),
                    lambda made: (made.train.split, made.train.test_ratio, made.train.seed) == ("row", 0.25, 5),
                )
    for sizes in (
        {"train_size": 80_000, "test_size": 20_000},
        {"train_size": "80000", "test_size": 20_000.0},
        {"train_size": "80,000", "test_size": "20,000"},
        {},
        {"test_size": 20_000},
        {"train_ratio": 0.8, "test_ratio": 0.2},
    ):
        yield Choice(
            f"fixed {sizes}",
            split(type="fixed_size", **sizes),
            lambda made: (made.train.train_rows, made.train.test_rows) == (80_000, 20_000),
        )
    for more in ({}, {"train_ratio": 1.0, "test_ratio": 0.0}, {"test_ratio": 0}, {"test_size": 0, "train_size": 1}):
        yield Choice(f"all_data {more}", split(type="all_data", **more), lambda made: made.train.split == "all_data")
    yield Choice("no split", {"ml": {"train_test_split": None}})
    yield Choice("no ml", {"ml": None})


def classifiers() -> Iterator[Choice]:
    """Classifiers, trees, grid and importance."""
    for said in (
        ["RandomForest", "DecisionTree", "KNeighbors"],
        ["RandomForestClassifier"],
        "RandomForest",
        ["random_forest", "knn"],
        None,
    ):
        yield Choice(f"{said}", {"ml": {"classifiers": said}})
    for trees in _number_forms(50):
        yield Choice(
            f"{trees!r} trees", {"_special_features": {"rf_n_estimators": trees}}, lambda made: made.train.trees == 50
        )
    for flag in ("grid_search", "feature_importance"):
        for value in (True, False, None, "true", 1, 0, {"enabled": True}, {"enabled": False}, {}):
            on = value in (True, "true") or value == {"enabled": True}

            def holds(made, flag=flag, on=on):
                told = (
                    made.train.grid_search
                    if flag == "grid_search"
                    else made.train.evaluation.importance and made.train.evaluation.enabled
                )
                return bool(told) == on

            yield Choice(f"{flag} {value!r}", {"_special_features": {flag: value}}, holds)


def places() -> Iterator[Choice]:
    """Two places, in the ways that they are written, and attackers on one side."""
    points = {"p1": {"x": -106.08, "y": 41.54}, "p2": {"x": -105.5, "y": 41.25}}
    ways = (
        points,
        {"p1": {"center_x": -106.08, "center_y": 41.54}, "p2": {"center_longitude": -105.5, "center_latitude": 41.25}},
        {"p1": [-106.08, 41.54], "p2": [-105.5, 41.25]},
        [{"x": -106.08, "y": 41.54}, {"x": -105.5, "y": 41.25}],
        {"enabled": True, "points": [{"x": -106.08, "y": 41.54}, {"x": -105.5, "y": 41.25}]},
    )
    base = {"data": {"filtering": {"distance_meters": 2000, "center_x": X, "center_y": Y}}}

    def two(made):
        first, second = made.clean.filters.places.centres
        return (first.longitude, second.latitude, second.radius_m) == (-106.08, 41.25, 2000)

    for way in ways:
        special = {"multi_point": way}
        yield Choice(f"mixed {way}", {**base, "_special_features": special}, two)
        yield Choice(
            f"apart {way}",
            {**base, "_special_features": special | {"separate_points": True}},
            lambda made: two(made) and made.train.split == "place",
        )
        graft = {"enabled": True, "params": [80, 20]}
        for params in (graft, {"params": [0.8, 0.2]}, [80, 20], {"enabled": "true", "params": ["80", "20"]}):
            yield Choice(
                f"graft {params} {way}",
                {**base, "_special_features": special | {"point_graft": params}},
                lambda made: made.train.place_shares == (0.8, 0.2),
            )
    for nothing in (None, False, {}, []):
        for name in ("multi_point", "separate_points", "point_graft"):
            yield Choice(
                f"{name} {nothing}",
                {"_special_features": {name: nothing}},
                lambda made: made.clean.filters.places is None,
            )
    for side, shares in (("train_only_attacks", (0.3, 0.0)), ("test_only_attacks", (0.0, 0.3))):
        for value in (True, "true", 1):
            yield Choice(
                f"{side} {value!r}",
                {"_special_features": {side: value}},
                lambda made, shares=shares: (made.attack.ratio, made.attack.test_ratio) == shares,
            )
        for value in (False, None, 0, {}):
            yield Choice(f"{side} {value!r}", {"_special_features": {side: value}})
    yield Choice("no special", {"_special_features": None})


def rest() -> Iterator[Choice]:
    """Input, columns, cache, cluster, and what has no bearing on results."""
    for said in ("bsm.csv", "data/April.csv", ["a.csv", "b.csv"], None):
        yield Choice(f"source {said}", _data(source_file=said))
    for rows in (100_000, "100000", None):
        yield Choice(f"{rows!r} rows", _data(num_subsection_rows=rows, lines_per_file=1_000_000))
    yield Choice(
        "columns",
        _data(columns=["metadata_generatedAt", "coreData_id", "coreData_speed", "strange_column"]),
        lambda made: "coreData_speed" in made.clean.columns,
    )
    yield Choice("no columns", _data(columns=[]))
    for cache in (
        {"enabled": True},
        {"enabled": False},
        {"enabled": "true", "directory": "x", "max_size_gb": 5},
        True,
        False,
        None,
        {"use_cache": False},
    ):
        on = not (cache is False or (isinstance(cache, dict) and False in cache.values()))
        yield Choice(f"cache {cache}", {"cache": cache}, lambda made, on=on: made.cache.enabled == on)
    for dask in (
        {"n_workers": 2, "threads_per_worker": 1, "memory_limit": "4GB"},
        {"n_workers": "2"},
        {"n_workers": 2.0, "memory_limit": "auto"},
        {"enabled": False},
        True,
        None,
        {"n_workers": None},
    ):
        yield Choice(f"dask {dask}", {"dask": dask})
    for value in (True, False, None, "true", {"enabled": True}):
        on = value in (True, "true") or value == {"enabled": True}
        yield Choice(
            f"map {value!r}", {"_special_features": {"enlarged_map": value}}, lambda made, on=on: made.output.map == on
        )
    for name in ("study", "", None, 7, "Nämé/with: signs"):
        yield Choice(f"name {name!r}", {"pipeline_name": name})


def _data(**said: Any) -> dict[str, Any]:
    return {"data": said}


AXES = (filterings, dates, attacks, features, splits, classifiers, places, rest)


def merge(*tables: dict[str, Any]) -> dict[str, Any]:
    """Return tables put together; of two values under one key the first stands."""
    made: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            if made.get(key) is None:
                made[key] = merge(value) if isinstance(value, dict) else value
            elif isinstance(made[key], dict) and isinstance(value, dict):
                made[key] = merge(made[key], value)
    return made


def complete(*choices: Choice) -> dict[str, Any]:
    """Return the document of some choices; one attack there is, since without any a file is no configuration."""
    made = merge(*(each.tables for each in choices))
    is_there = made.keys() & {"attacks", "attack", "attack_parameters", "template_config"}
    return made if is_there else {**made, "attacks": {"type": "rand_offset"}}


class Made(NamedTuple):
    """A document, and the choices that it was made of."""

    tables: dict[str, Any]
    choices: tuple[Choice, ...]

    @property
    def certain(self) -> tuple[Choice, ...]:
        """The choices that must hold: places, and attackers on one side, change what others mean."""
        mixes = any(_is_apart(choice) or _sides(choice) for choice in self.choices)
        return () if mixes and len(self.choices) > 1 else self.choices

    @property
    def losses(self) -> tuple[str, ...]:
        """Parts of the sentences of what must be lost."""
        return tuple(choice.loses for choice in self.choices if choice.loses)


def _is_apart(choice: Choice) -> bool:
    return bool((choice.tables.get("_special_features") or {}).get("multi_point"))


def _sides(choice: Choice) -> bool:
    return any("only_attacks" in str(key) for key in choice.tables.get("_special_features") or ())


def _split_kind(choice: Choice) -> str:
    return str(((choice.tables.get("ml") or {}).get("train_test_split") or {}).get("type"))


def _wants_evaluation(choice: Choice) -> bool:
    return "feature_importance" in (choice.tables.get("_special_features") or {})


def _has_centre(choice: Choice) -> bool:
    return "center_" in str(choice.tables)


def are_at_odds(choices: list[Choice]) -> bool:
    """Return True if choices contradict each other, so that no program could do all that they say."""
    kinds = {_split_kind(choice) for choice in choices} - {"None", "random"}
    if kinds and any(map(_is_apart, choices)):
        return True
    if "all_data" in kinds and (any(map(_sides, choices)) or any(map(_wants_evaluation, choices))):
        return True
    if any(map(_is_apart, choices)) and any(choice.loses for choice in choices):
        return True
    needs = any("override" in choice.name for choice in choices)
    return needs and not any(map(_has_centre, choices))


def make_configs(seed: int) -> Iterator[Made]:
    """Give documents: each choice by itself, and beside some of other axes that it does not contradict."""
    draw = random.Random(seed)
    axes = [list(axis()) for axis in AXES]
    centre = Choice("a centre", _data(filtering={"center_x": X, "center_y": Y}))
    for axis in axes:
        for choice in axis:
            alone = [choice, centre] if "override" in choice.name else [choice]
            yield Made(complete(*alone), tuple(alone))
            for _ in range(TIMES):
                others = [draw.choice(each) for each in axes if each is not axis and draw.random() < 0.7]
                if not are_at_odds([choice, *others]):
                    yield Made(complete(choice, *others), (choice, *others))
