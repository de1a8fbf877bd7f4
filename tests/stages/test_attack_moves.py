"""Moves of attackers: offsets, overrides and swaps, in degrees and in the plane."""

import numpy as np
import pandas as pd
import pytest
from attacked_messages import CENTRE, FRAME, GEOD, LOCAL, angle, attacked, messages, moves, params, plane_moves
from scipy import stats

from cdpipe.stages import BY_NAME
from cdpipe.stages.attack import conclude, survey


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


@pytest.mark.parametrize("size", [pytest.param(2, marks=pytest.mark.slow), 3, pytest.param(5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("choose_by", ["vehicle", "row"])
def test_of_few_messages_each_takes_each_of_the_others_as_often(size, choose_by):
    frame, seeds = messages(size, 1), 600
    source = {x: i for i, x in enumerate(frame["x_pos"])}
    counts = np.zeros((size, size), int)
    for seed in range(seeds):
        after, hit, ledger = attacked("swap_rand", frame, ratio=1.0, seed=seed, choose_by=choose_by)
        assert hit.all()
        assert ledger.notes == {"messages of attackers": size}
        counts[range(size), [source[x] for x in after["x_pos"]]] += 1
    assert counts.trace() == 0
    of_others = counts[~np.eye(size, dtype=bool)].reshape(size, size - 1)
    assert size == 2 or stats.chisquare(of_others, axis=1).pvalue.min() > 1e-3 / size


@pytest.mark.parametrize("choose_by", ["vehicle", "row"])
def test_a_message_alone_has_nobody_to_swap_with_and_attacks_nobody(choose_by):
    frame = messages(1, 1)
    after, hit, ledger = attacked("swap_rand", frame, ratio=1.0, choose_by=choose_by)
    assert not hit.any()
    pd.testing.assert_frame_equal(after[list(frame)], frame)
    assert ledger.notes == {"messages of attackers": 0, "messages with nobody to swap with": 1}
    assert attacked("swap_rand", frame, ratio=0.0, choose_by=choose_by)[2].notes == {"messages of attackers": 0}
    assert attacked("offset_rand", frame, ratio=1.0, choose_by=choose_by)[1].all()


def test_a_message_alone_in_one_of_many_partitions_swaps_with_those_of_the_others():
    frame = messages(3, 3)
    whole, hit, _ = attacked("swap_rand", frame, ratio=1.0)
    assert hit.all()
    chosen = params("swap_rand", ratio=1.0)
    facts = conclude(survey(frame, chosen), chosen)
    parts = [BY_NAME["attack"].apply(frame.iloc[[i]], chosen, facts)[0] for i in range(3)]
    pd.testing.assert_frame_equal(pd.concat(parts), whole, check_exact=True)
