import copy
import datetime as dt
import json

import pytest
from foreign import CENTRE, PLACES, numbered, template, written
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.config.file import ConfigError
from cdpipe.config.model import parse_config
from cdpipe.studies.importing.translation import translate


@pytest.fixture
def bring(tmp_path):
    """Translate tables, or a text, written to a file of that name."""

    def brought(said, name="study.json", **options):
        path = tmp_path / name
        path.write_text(said if isinstance(said, str) else json.dumps(said))
        return translate(path, **options)

    return brought


def sentences(imported, fate):
    return [each.sentence for each in imported.remarks if each.fate == fate]


def test_the_older_shape_loses_nothing_and_means_the_same(bring):
    imported = bring(numbered())
    assert imported.lost == ()
    made = parse_config(imported.tables)
    assert made.clean.coordinates == "local"
    assert (made.clean.centre.latitude, made.clean.centre.longitude) == (41.5430216, -106.0831353)
    assert made.clean.filters.within.model_dump() == {
        "latitude": 41.5430216,
        "longitude": -106.0831353,
        "radius_m": 2000,
    }
    assert made.clean.filters.dates.first == dt.date(2021, 4, 1)
    assert made.clean.filters.dates.last == dt.date(2021, 5, 30)
    assert made.attack.model_dump(include={"kind", "ratio", "min_m", "max_m", "seed"}) == {
        "kind": "offset_rand",
        "ratio": 0.3,
        "min_m": 100,
        "max_m": 200,
        "seed": 7,
    }
    assert made.features.columns == "extended_timestamps"
    assert (made.train.split, made.train.test_ratio, made.train.seed) == ("row", 0.2, 42)
    assert str(made.output.directory) == "cdpipe-out/study"
    said = " ".join(sentences(imported, "changed"))
    assert "leaks" in said
    assert "names no input" in said


def test_the_newer_shape_loses_nothing_and_means_the_same(bring):
    imported = bring(written())
    assert imported.lost == ()
    made = parse_config(imported.tables)
    assert made.input.paths == ("April.csv",)
    assert made.clean.columns[:3] == ("metadata_generatedAt", "coreData_id", "metadata_receivedAt")
    assert made.clean.filters.within.radius_m == 100_000
    assert (made.attack.kind, made.attack.ratio) == ("offset_const_per_id", 0.25)
    assert made.features.columns == ("x_pos", "y_pos", "coreData_elevation", "coreData_id")
    assert made.train.classifiers == ("RandomForest", "DecisionTree", "KNeighbors")
    assert (made.session.scheduler, made.session.workers, made.session.memory_limit_gb) == ("local", 3, 12)
    (idle,) = sentences(imported, "left out")
    assert "cache.clean_dataset" in idle
    assert "dask.dashboard_address" in idle


def test_a_template_is_filled_in_as_its_program_does(bring):
    imported = bring(template())
    assert imported.lost == ()
    made = parse_config(imported.tables)
    assert made.clean.filters.within.radius_m == 100_000
    assert made.clean.centre.longitude == -109.319556
    assert made.attack.kind == "offset_rand"
    assert made.features.columns == ("x_pos", "y_pos", "coreData_elevation", "coreData_id")
    assert "the file is a template" in " ".join(sentences(imported, "changed"))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("rand_offset", "offset_rand"),
        ("random_offset", "offset_rand"),
        ("const_offset_per_id", "offset_const_per_id"),
        ("constant_offset_per_vehicle", "offset_const_per_id"),
        ("override_rand", "override_rand"),
        ("override_const", "override_const"),
        ("const_offset", "offset_const"),
        ("swap_rand", "swap_rand"),
        ("Position-Swap", "swap_rand"),
        ("random_position", "override_rand"),
    ],
)
def test_attacks_go_by_many_names(bring, theirs, ours):
    imported = bring(numbered(attacks={"type": theirs, "ratio": 0.4, "seed": 3}))
    assert imported.lost == ()
    made = parse_config(imported.tables).attack
    assert (made.kind, made.ratio, made.seed) == (ours, 0.4, 3)


@pytest.mark.parametrize(
    ("filtering", "angle", "bearing"),
    [(CENTRE, 0, 90), (CENTRE, 90, 0), (CENTRE, 135, 315), (CENTRE | {"use_xy_coords": False}, 135, 135)],
)
def test_angles_become_bearings_and_that_is_said(bring, filtering, angle, bearing):
    attacks = {"type": "const_offset", "ratio": 0.3, "direction_angle": angle, "distance_meters": 50}
    imported = bring(numbered(data={"filtering": filtering}, attacks=attacks))
    made = parse_config(imported.tables).attack
    assert (made.bearing_deg, made.distance_m) == (bearing, 50)
    assert f"bearing_deg is {bearing}" in " ".join(sentences(imported, "changed"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": {"filtering": {"type": "xy_offset_position", "distance_meters": 500}}}, "500 m and no centre"),
        ({"attacks": {"type": "teleport", "ratio": 0.3}}, "kind = 'teleport': use one of"),
        ({"attacks": {"ratio": 0.3}}, "has no type; offset_rand stands for it"),
        ({"attacks": {"type": "rand_offset", "attack_ratio": 300}}, "attacks.attack_ratio = 300: is no share"),
        ({"attacks": {"type": "rand_offset", "min_distance": "far"}}, "attacks.min_distance = 'far': is no number"),
        ({"attacks": {"type": "rand_offset", "min_distance": 9, "max_distance": 3}}, "min_m 9.0 is greater than max_m"),
        ({"attacks": {"type": "rand_offset", "offset_direction_max": 90}}, "offsets go in all directions here"),
        ({"attacks": {"type": "rand_offset", "ratio": 0.1, "attack_ratio": 0.2}}, "says otherwise"),
        ({"features": {"columns": "everything_else"}}, "no set of features is known by that name"),
        ({"features": {"columns": 7}}, "neither a set of features nor a list"),
        ({"ml": {"classifiers": ["SVM", "RandomForest"]}}, "'SVM' is no classifier here"),
        ({"ml": {"train_test_split": {"type": "stratified"}}}, "no split is known by that name"),
        ({"ml": {"train_test_split": {"train_ratio": 0.8, "test_ratio": 0.1}}}, "which is not all"),
        ({"data": {"date_range": {"start": "2021-02-30"}}}, "data.date_range.start = '2021-02-30': is no day"),
        ({"data": {"date_range": {"start_year": 2021, "start_day": 1}}}, "'2021-?-1', which is no day"),
        ({"data": {"filtering": {"center_x": "east", "center_y": 4}}}, "center_x = 'east': is no number"),
        ({"data": {"filtering": {"center_x": 0, "center_y": 400}}}, "latitude = 400.0: must be at most 90"),
        ({"data": {"filtering": CENTRE | {"type": "hexagon"}}}, "no filter is known by that name"),
        ({"data": "bsm.csv"}, "data = 'bsm.csv': unknown key"),
        ({"weather": {"rain": True}}, "weather.rain = true: unknown key"),
        ({"_special_features": {"separate_points": True}}, "multi_point, which names them, is not there"),
    ],
)
def test_what_is_lost_is_named(bring, changes, sentence):
    imported = bring(numbered(**changes))
    assert sentence in " ".join(imported.lost)
    parse_config(imported.tables)


def test_an_attack_that_cannot_be_made_is_no_other_attack(bring):
    imported = bring(numbered(attacks={"type": "teleport", "enabled": True}))
    made = parse_config(imported.tables)
    assert (made.attack.ratio, made.train.classifiers) == (0, ())


def test_an_attack_that_is_not_enabled_is_none(bring):
    imported = bring(numbered(attacks={"enabled": False, "type": "rand_offset", "attack_ratio": 0.3}))
    assert imported.lost == ()
    assert parse_config(imported.tables).attack.ratio == 0


@pytest.mark.parametrize(
    ("special", "name", "train"),
    [
        ({"separate_points": True}, "With2SeparatePoints", {"split": "place", "test_places": (2,)}),
        (
            {"point_graft": {"enabled": True, "params": [80, 12, 0, 2]}},
            "x",
            {"split": "row", "place_shares": (0.8, 0.2)},
        ),
        ({}, "WithPtGraft30P170P2d01", {"split": "row", "place_shares": (0.3, 0.7)}),
        ({"point_graft": {"enabled": False}}, "x", {"split": "row", "place_shares": None}),
    ],
)
def test_two_places_train_and_test_or_are_mixed(bring, special, name, train):
    imported = bring(numbered(_special_features={**PLACES, **special}), f"{name}.json")
    assert imported.lost == ()
    made = parse_config(imported.tables)
    first, second = made.clean.filters.places.centres
    assert (first.latitude, first.longitude, first.radius_m) == (41.5430216, -106.0831353, 2_000)
    assert (second.latitude, second.longitude) == (41, -105)
    assert made.clean.filters.within is None
    assert made.train.model_dump(include=set(train)) == train
    said = " ".join(sentences(imported, "changed"))
    assert "cut to whole degrees" in said
    assert "in whole degrees, taken as they stand" in said


@pytest.mark.parametrize(
    ("special", "name", "shares"),
    [
        ({"train_only_attacks": True}, "30attackersTrainRandOffset", (0.3, 0.0)),
        ({"test_only_attacks": True}, "x", (0.0, 0.3)),
        ({"train_only_attacks": True}, "30attackersTrain10TestRandOffset", (0.3, 0.1)),
        ({"test_only_attacks": True}, "30train5testattackersRandOffset", (0.3, 0.05)),
    ],
)
def test_attackers_differ_by_side(bring, special, name, shares):
    imported = bring(numbered(_special_features=special), f"{name}.json")
    assert imported.lost == ()
    attack = parse_config(imported.tables).attack
    assert (attack.ratio, attack.test_ratio, attack.sides.by) == (*shares, "row")


@pytest.mark.parametrize(
    ("changes", "train"),
    [
        (
            {"ml": {"train_test_split": {"type": "fixed_size", "train_size": 80_000, "test_size": 20_000}}},
            {"train_rows": 80_000, "test_rows": 20_000},
        ),
        (
            {"ml": {"train_test_split": {"type": "all_data", "train_ratio": 1.0, "test_ratio": 0.0}}},
            {"split": "all_data"},
        ),
        ({"_special_features": {"grid_search": True}}, {"grid_search": True}),
        ({"_special_features": {"rf_n_estimators": 500}}, {"trees": 500}),
    ],
)
def test_the_rest_of_training_is_taken(bring, changes, train):
    imported = bring(numbered(**changes))
    assert imported.lost == ()
    assert parse_config(imported.tables).train.model_dump(include=set(train)) == train


def test_importance_is_an_evaluation_on_the_same_split(bring):
    imported = bring(numbered(_special_features={"feature_importance": True}))
    assert imported.lost == ()
    train = parse_config(imported.tables).train
    assert (train.split, train.evaluation.enabled, train.evaluation.folds) == ("row", True, 1)
    assert train.evaluation.importance


def test_shares_in_percent_are_taken_and_said(bring):
    imported = bring(numbered(attacks={"type": "rand_offset", "ratio": 30}))
    assert parse_config(imported.tables).attack.ratio == 0.3
    assert "is in percent" in " ".join(sentences(imported, "changed"))


def test_one_day_has_no_end(bring):
    imported = bring(numbered(data={"date_range": {"start_year": 2021, "start_month": 4, "start_day": 2}}))
    dates = parse_config(imported.tables).clean.filters.dates
    assert dates.first == dates.last == dt.date(2021, 4, 2)


def test_names_without_quotes_and_comments_are_read_and_said(bring):
    text = """{
      // by hand
      pipeline_name: bare, created: 2026-02-12,
      data: { source_file: Full.csv,
              filtering: { center_longitude: -106.5, center_latitude: 41.5, radius_meters: 2000 },
              date_range: { start: 2021-04-01, end: 2021-04-30 } },
      attack: { type: random_offset, malicious_ratio: 0.30, seed: 42, },
      ml: { features: [x_pos, y_pos], train_test_split: { test_size: 0.20, shuffle: true } },
    }"""
    imported = bring(text)
    assert imported.lost == ()
    made = parse_config(imported.tables)
    assert (made.attack.ratio, made.train.test_ratio) == (0.3, 0.2)
    assert made.clean.filters.dates.last == dt.date(2021, 4, 30)
    assert "it is no JSON" in sentences(imported, "changed")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("[1, 2]", "holds a list"),
        ("7", "holds a int"),
        ('{"a": ', "Expecting value"),
        ('{"rows": 1}', "has none of the tables"),
        ('{"input": {"paths": ["a.csv"]}}', "is a configuration of cdpipe already"),
        ("{data: &a [*a, *a]}", "Expecting property name"),
        ("[" * 100_000, "tables deep"),
        ('{"data": {"source_file": "a\\u0000b"}}', "holds a character"),
    ],
)
def test_what_is_no_configuration_is_refused_in_a_sentence(bring, text, message):
    with pytest.raises(ConfigError, match=r"study\.json") as caught:
        bring(text)
    assert message in str(caught.value)


def test_the_input_can_be_named(bring):
    assert bring(written(), data="mine.parquet").tables["input"] == {"paths": ["mine.parquet"]}


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.just([]),
    st.just({}),
    st.just([{}, 1]),
    st.just({"x": {"y": [1]}}),
    st.just(10**400),
    st.sampled_from(["NaN", "2021-04-01", "all", "random", "-1", "1e999"]),
)


def leaves(table, above=()):
    for key, value in table.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))


@given(st.sampled_from([numbered, written, template]), st.data())
def test_no_value_anywhere_ends_in_a_trace(tmp_path_factory, shape, data):
    tables = copy.deepcopy(shape())
    for key in data.draw(st.lists(st.sampled_from(sorted(leaves(tables))), min_size=1, max_size=3)):
        table = tables
        for step in key[:-1]:
            table = table.get(step, {}) if isinstance(table, dict) else {}
        if isinstance(table, dict):
            table[key[-1]] = copy.deepcopy(data.draw(VALUES))
    path = tmp_path_factory.mktemp("fuzz") / "any.json"
    path.write_text(json.dumps(tables), encoding="utf-8")
    try:
        imported = translate(path)
    except ConfigError:
        return
    parse_config(copy.deepcopy(imported.tables))
    assert all(each.sentence.isprintable() for each in imported.remarks)
