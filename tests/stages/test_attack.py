from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pyproj import Geod
from scipy import stats

from cdpipe import attack
from cdpipe.stages import BY_NAME
from cdpipe.stages.attack import POOL_ROWS, conclude, merge, needs_survey, survey
from cdpipe.stages.attacks import ATTACKS

GEOD = Geod(ellps="WGS84")
CENTRE = {"latitude": 41.5430216, "longitude": -106.0831353}
KINDS = [kind.model_fields["kind"].default for kind in ATTACKS]
OFFSETS = ["offset_const", "offset_rand", "offset_const_per_id"]
ANY = TypeAdapter(BY_NAME["attack"].params)


def params(kind, **given):
    return ANY.validate_python({"kind": kind, "centre": CENTRE, **given})


def messages(rows=4_000, vehicles=37, *, local=False, seed=0):
    """Clean messages: row numbers with gaps, in no order; places within some kilometres of the centre."""
    rng = np.random.default_rng(seed)
    spread = 5_000 if local else 0.1
    middle = (0, 0) if local else (CENTRE["longitude"], CENTRE["latitude"])
    return pd.DataFrame(
        {
            "row_number": rng.permutation(3 * rows)[:rows],
            "coreData_id": pd.Series([f"{number:08X}" for number in rng.integers(0, vehicles, rows)], dtype="str"),
            "x_pos": rng.normal(middle[0], spread, rows),
            "y_pos": rng.normal(middle[1], spread, rows),
            "coreData_speed": rng.uniform(0, 30, rows),
        }
    )


FRAME = messages()
LOCAL = messages(local=True)


def attacked(kind, frame=FRAME, **given):
    made, ledger = attack(frame, params(kind, **given))
    return made, (made["isAttacker"] == 1).to_numpy(), ledger


def moves(before, after):
    """Bearing, degrees clockwise from north, and distance in metres, along the geodesic."""
    columns = (before["x_pos"], before["y_pos"], after["x_pos"], after["y_pos"])
    bearing, _, distance = GEOD.inv(*(column.to_numpy() for column in columns))
    return bearing % 360, distance


def plane_moves(before, after):
    east, north = after["x_pos"] - before["x_pos"], after["y_pos"] - before["y_pos"]
    return np.degrees(np.arctan2(east, north)).to_numpy() % 360, np.hypot(east, north).to_numpy()


def angle(first, second):
    """How far two directions are apart, degrees."""
    return np.abs((np.asarray(first) - second + 180) % 360 - 180)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("choose_by", ["vehicle", "row"])
def test_only_attackers_positions_change_and_nothing_else_does(kind, choose_by):
    before = FRAME.copy(deep=True)
    after, hit, ledger = attacked(kind, choose_by=choose_by)
    pd.testing.assert_frame_equal(FRAME, before)
    assert list(after) == [*FRAME.columns, "isAttacker"]
    assert after["isAttacker"].dtype == "int8"
    others = [name for name in FRAME if name not in ("x_pos", "y_pos")]
    pd.testing.assert_frame_equal(after[others], FRAME[others])
    pd.testing.assert_frame_equal(after.loc[~hit, ["x_pos", "y_pos"]], FRAME.loc[~hit, ["x_pos", "y_pos"]])
    moved = ((after["x_pos"] != FRAME["x_pos"]) | (after["y_pos"] != FRAME["y_pos"])).to_numpy()
    np.testing.assert_array_equal(moved, hit)
    assert ledger.as_dict()["notes"] == {"messages of attackers": hit.sum()}
    assert ledger.rows_in == ledger.rows_out == len(FRAME)


@given(ratio=st.floats(0, 1), vehicles=st.integers(1, 60), seed=st.integers(0, 2**63 - 1))
def test_exactly_the_rounded_share_of_vehicles_attacks_with_all_their_messages(ratio, vehicles, seed):
    frame = messages(300, vehicles, seed=vehicles)
    after, _, _ = attacked("offset_const", frame, ratio=ratio, seed=seed)
    by_vehicle = after.groupby("coreData_id")["isAttacker"].agg(["min", "max"])
    assert (by_vehicle["min"] == by_vehicle["max"]).all()
    assert by_vehicle["max"].sum() == round(ratio * len(by_vehicle))


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_rows_are_drawn_alone_with_their_ratio(ratio):
    frame = messages(20_000)
    _, hit, _ = attacked("offset_const", frame, ratio=ratio, choose_by="row")
    assert stats.binomtest(int(hit.sum()), len(frame), ratio).pvalue > 1e-4  # 0 where a ratio of 0 or 1 is not exact
    share = frame.assign(hit=hit).groupby("coreData_id")["hit"].mean()
    assert share.between(0, 1, inclusive="both" if ratio in (0, 1) else "neither").all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_draws_follow_the_seed(kind):
    first = attacked(kind, seed=1)[0]
    pd.testing.assert_frame_equal(first, attacked(kind, seed=1)[0])
    assert not first["isAttacker"].equals(attacked(kind, seed=2)[0]["isAttacker"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_does_not_depend_on_the_order_of_rows(kind):
    shuffled = FRAME.sample(frac=1, random_state=3)
    again, _, _ = attacked(kind, shuffled)
    straight, _, _ = attacked(kind)
    pd.testing.assert_frame_equal(again.sort_index(), straight)


def with_unused(ids):
    return ids.astype(pd.CategoricalDtype(["unused", *sorted(set(ids), reverse=True), "", "also unused"]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrap",
    [lambda ids: ids.astype("category"), with_unused, lambda ids: ids.astype(object), lambda ids: ids.astype("string")],
    ids=["labels", "labels with others", "objects", "string"],
)
def test_the_answer_does_not_depend_on_how_ids_are_held(kind, wrap):
    wrapped = FRAME.assign(coreData_id=wrap(FRAME["coreData_id"]))
    again, _, ledger = attacked(kind, wrapped)
    expected, _, account = attacked(kind)
    assert ledger == account
    pd.testing.assert_series_equal(again["coreData_id"], wrapped["coreData_id"])
    pd.testing.assert_frame_equal(again.drop(columns="coreData_id"), expected.drop(columns="coreData_id"))


@pytest.mark.parametrize(("bearing", "metres"), [(0, 150), (45, 0.01), (90, 1_000), (225, 250), (360, 5e5), (270, 1e7)])
def test_a_constant_offset_moves_along_the_geodesic_to_a_millimetre(bearing, metres):
    after, hit, _ = attacked("offset_const", bearing_deg=bearing, distance_m=metres)
    lon, lat, _ = GEOD.fwd(
        FRAME["x_pos"].to_numpy()[hit],
        FRAME["y_pos"].to_numpy()[hit],
        np.full(hit.sum(), bearing),
        np.full(hit.sum(), metres),
    )
    _, _, off = GEOD.inv(lon, lat, after["x_pos"].to_numpy()[hit], after["y_pos"].to_numpy()[hit])
    assert off.max() <= 1e-3
    assert after["x_pos"].between(-180, 180).all()


@pytest.mark.parametrize("kind", ["offset_rand", "offset_const_per_id"])
def test_random_offsets_fill_their_range_and_the_circle_evenly(kind):
    frame = messages(6_000, 2_500)
    after, hit, _ = attacked(kind, frame, min_m=25, max_m=250, ratio=1.0)
    bearing, distance = moves(frame, after)
    assert hit.all()
    assert 25 - 1e-3 <= distance.min() < 27
    assert 248 < distance.max() <= 250 + 1e-3
    each = ~frame["coreData_id"].duplicated() if kind == "offset_const_per_id" else np.ones(len(frame), np.bool_)
    assert stats.kstest(distance[each], stats.uniform(25, 225).cdf).pvalue > 1e-3
    assert stats.kstest(bearing[each], stats.uniform(0, 360).cdf).pvalue > 1e-3
    assert abs(stats.spearmanr(bearing[each], distance[each]).statistic) < 0.07


def test_each_message_has_its_own_random_offset():
    after, hit, _ = attacked("offset_rand")
    bearing, _ = moves(FRAME[hit], after[hit])
    assert len(np.unique(bearing.round(6))) == hit.sum()


@pytest.mark.parametrize("coordinates", ["geographic", "local"])
def test_each_vehicle_keeps_one_offset_of_its_own(coordinates):
    frame, measure = (LOCAL, plane_moves) if coordinates == "local" else (FRAME, moves)
    after, hit, _ = attacked("offset_const_per_id", frame, coordinates=coordinates, ratio=0.7)
    bearing, distance = measure(frame[hit], after[hit])
    found = pd.DataFrame({"id": frame.loc[hit, "coreData_id"].to_numpy(), "bearing": bearing, "distance": distance})
    first = found.groupby("id").transform("first")
    assert angle(found["bearing"], first["bearing"]).max() < 1e-2  # a millimetre in 25 m is 2e-3 degrees
    assert (found["distance"] - first["distance"]).abs().max() <= 2e-3
    assert found["distance"].round(3).nunique() == found["id"].nunique() == round(0.7 * 37)


@pytest.mark.parametrize(("bearing", "east", "north"), [(0, 0, 150), (90, 150, 0), (180, 0, -150), (270, -150, 0)])
def test_local_offsets_are_in_the_plane_clockwise_from_north(bearing, east, north):
    after, hit, _ = attacked("offset_const", LOCAL, coordinates="local", bearing_deg=bearing)
    np.testing.assert_allclose((after["x_pos"] - LOCAL["x_pos"])[hit], east, rtol=0, atol=1e-9)
    np.testing.assert_allclose((after["y_pos"] - LOCAL["y_pos"])[hit], north, rtol=0, atol=1e-9)


@pytest.mark.parametrize("bearing", [0, 90, 180, 270, 360])
@pytest.mark.parametrize("metres", [0.0, 0.1, 150.0, 12_345.678])
def test_local_offsets_by_quarter_turns_are_exact(bearing, metres):
    after, hit, _ = attacked("offset_const", LOCAL, coordinates="local", bearing_deg=bearing, distance_m=metres)
    east, north = {0: (0, 1), 90: (1, 0), 180: (0, -1), 270: (-1, 0)}[bearing % 360]
    assert after["x_pos"][hit].tolist() == (LOCAL["x_pos"][hit] + east * metres).tolist()
    assert after["y_pos"][hit].tolist() == (LOCAL["y_pos"][hit] + north * metres).tolist()


@pytest.mark.parametrize("kind", ["offset_rand", "offset_const_per_id"])
def test_both_coordinates_draw_the_same_distances_and_bearings(kind):
    flat, hit, _ = attacked(kind, LOCAL, coordinates="local")
    round_, _, _ = attacked(kind)
    plane, geodesic = plane_moves(LOCAL[hit], flat[hit]), moves(FRAME[hit], round_[hit])
    assert angle(plane[0], geodesic[0]).max() < 1e-2
    np.testing.assert_allclose(plane[1], geodesic[1], rtol=0, atol=1e-3)


def test_override_const_claims_one_place_from_the_centre():
    after, hit, _ = attacked("override_const", bearing_deg=300, distance_m=777)
    places = after.loc[hit, ["x_pos", "y_pos"]].drop_duplicates()
    assert len(places) == 1
    lon, lat, _ = GEOD.fwd(CENTRE["longitude"], CENTRE["latitude"], 300, 777)
    assert GEOD.inv(lon, lat, *places.iloc[0])[2] <= 1e-3
    local, hit, _ = attacked("override_const", LOCAL, coordinates="local", bearing_deg=90, distance_m=777)
    assert local.loc[hit, ["x_pos", "y_pos"]].drop_duplicates().to_numpy() == pytest.approx(
        np.array([[777, 0]]), abs=1e-9
    )


@pytest.mark.parametrize("coordinates", ["geographic", "local"])
def test_override_rand_claims_places_around_the_centre_that_fill_its_range(coordinates):
    frame, measure = (LOCAL, plane_moves) if coordinates == "local" else (FRAME, moves)
    after, hit, _ = attacked("override_rand", frame, coordinates=coordinates, min_m=100, max_m=900, ratio=1.0)
    x, y = (0.0, 0.0) if coordinates == "local" else (CENTRE["longitude"], CENTRE["latitude"])
    bearing, distance = measure(frame.assign(x_pos=x, y_pos=y)[hit], after[hit])
    assert stats.kstest(distance, stats.uniform(100, 800).cdf).pvalue > 1e-3
    assert stats.kstest(bearing, stats.uniform(0, 360).cdf).pvalue > 1e-3


def test_swaps_take_places_of_other_messages_of_the_data_set():
    after, hit, _ = attacked("swap_rand", ratio=1.0)
    assert hit.all()
    source = {place: i for i, place in enumerate(zip(FRAME["x_pos"], FRAME["y_pos"], strict=True))}
    taken = np.array([source[place] for place in zip(after["x_pos"], after["y_pos"], strict=True)])
    assert (taken != np.arange(len(FRAME))).all()


def test_swaps_take_every_place_about_as_often():
    frame = messages(60, 5)
    counts = np.zeros(60)
    source = {x: i for i, x in enumerate(frame["x_pos"])}
    for seed in range(300):
        after, _, _ = attacked("swap_rand", frame, ratio=1.0, seed=seed)
        np.add.at(counts, [source[x] for x in after["x_pos"]], 1)
    assert counts.sum() == 60 * 300
    assert stats.chisquare(counts).pvalue > 1e-4


def test_two_messages_swap_with_each_other_and_one_alone_stays():
    for frame in (messages(2, 1), messages(1, 1)):
        after, _, _ = attacked("swap_rand", frame, ratio=1.0)
        assert after["x_pos"].tolist() == frame["x_pos"].tolist()[::-1]


def test_the_pool_is_bounded_and_drawn_evenly_from_all_rows(monkeypatch):
    monkeypatch.setattr("cdpipe.stages.attack.POOL_ROWS", 500)
    frame = messages(5_000)
    facts = conclude(survey(frame, params("swap_rand")), params("swap_rand"))
    assert facts.pool.row_number.size == 500 < POOL_ROWS
    assert np.isin(facts.pool.row_number, frame["row_number"]).all()
    assert len(set(facts.pool.row_number.tolist())) == 500
    assert stats.kstest(facts.pool.row_number, stats.uniform(0, 15_000).cdf).pvalue > 1e-3


@pytest.mark.parametrize("kind", ["swap_rand", "offset_rand"])
@pytest.mark.parametrize("choose_by", ["vehicle", "row"])
@given(cuts=st.lists(st.integers(0, 200), max_size=6), order=st.randoms(use_true_random=False))
def test_surveys_merge_in_any_order_into_the_survey_of_all(kind, choose_by, cuts, order):
    frame, chosen = messages(200, 9), params(kind, choose_by=choose_by)
    bounds = [0, *sorted(cuts), 200]
    parts = [survey(frame.iloc[a:b], chosen) for a, b in pairwise(bounds)]
    while len(parts) > 1:
        order.shuffle(parts)
        parts.append(merge(parts.pop(), parts.pop(), chosen))
    whole = survey(frame, chosen)
    np.testing.assert_array_equal(parts[0].vehicles, whole.vehicles)
    merged, expected = conclude(parts[0], chosen), conclude(whole, chosen)
    assert merged[:3] == expected[:3]
    for part, same in zip(merged.pool or (), expected.pool or (), strict=True):
        np.testing.assert_array_equal(part, same)


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_must_know_all_messages_is_surveyed(kind):
    assert needs_survey(params(kind))
    assert needs_survey(params(kind, choose_by="row")) == (kind == "swap_rand")
    with pytest.raises(ValueError, match="surveyed first"):
        BY_NAME["attack"].apply(FRAME, params(kind), None)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_frame_gives_an_empty_frame(kind):
    for choose_by in ("vehicle", "row"):
        after, ledger = attack(FRAME.iloc[:0], params(kind, choose_by=choose_by))
        assert list(after) == [*FRAME, "isAttacker"]
        assert ledger.rows_in == 0


@given(
    texts=st.lists(st.sampled_from(["A", "B", "", " ", "C", None]), min_size=1, max_size=40),
    order=st.permutations(["A", "B", "", " ", "C", "unused", "D"]),
    kind=st.sampled_from(["offset_const_per_id", "swap_rand"]),
    ratio=st.floats(0, 1),
)
def test_labels_and_text_are_the_same_vehicles(texts, order, kind, ratio):
    """An empty text and a null are one vehicle; labels that no row has are none."""
    frame = messages(len(texts), 1).assign(coreData_id=pd.Series(texts, dtype="str"))
    labels = frame.assign(coreData_id=pd.Categorical(texts, categories=order))
    before = labels.copy(deep=True)
    chosen = params(kind, ratio=ratio)
    one, other = survey(frame, chosen), survey(labels, chosen)
    assert one.vehicles.tolist() == other.vehicles.tolist()
    assert one.vehicles.size == len({text or "" for text in texts})
    expected, account = attack(frame, chosen)
    made, ledger = attack(labels, chosen)
    assert ledger == account
    pd.testing.assert_frame_equal(made.drop(columns="coreData_id"), expected.drop(columns="coreData_id"))
    pd.testing.assert_frame_equal(labels, before)


@pytest.mark.parametrize("dtype", ["str", "category"])
def test_a_null_id_is_one_vehicle_of_its_own(dtype):
    frame = messages(100, 4).assign(coreData_id=pd.Series(["A", None, "B", None] * 25, dtype="str").astype(dtype))
    after, _, _ = attacked("offset_const", frame, ratio=1 / 3)
    by_vehicle = after.astype({"coreData_id": "str"}).groupby("coreData_id", dropna=False)
    assert by_vehicle["isAttacker"].nunique().tolist() == [1, 1, 1]
    assert after["isAttacker"].sum() in (25, 50)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "offset_rand", "min_m": 5, "max_m": 1}, r"min_m 5\.0 is greater than max_m 1\.0"),
        ({"kind": "override_const"}, "override_const needs a centre"),
        ({"kind": "override_rand"}, "override_rand needs a centre"),
        ({"kind": "swap_rand", "distance_m": 5}, "distance_m"),
        ({"kind": "offset_const", "ratio": 1.01}, "ratio"),
        ({"kind": "offset_const", "seed": -1}, "seed"),
        ({"kind": "offset_const", "bearing_deg": 361}, "bearing_deg"),
        ({"kind": "teleport"}, "teleport"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        ANY.validate_python(wrong)
