"""Every attack on sequences against a loop over each vehicle's messages that says what it is."""

import numpy as np
import pandas as pd
import pytest
from attacked_messages import ANY, CENTRE, messages, moves
from pyproj import Geod

from cdpipe import attack
from cdpipe.kernels.draws.keyed import CLAIM, OFFSET, bearings_and_distances, integers_below, uniform_pairs
from cdpipe.stages import order
from cdpipe.stages.attacks import SEQUENCES, Mix
from cdpipe.stages.attacks.sequence import number_within

SPEED, HEADING = "coreData_speed", "coreData_heading"
ALL = ["x_pos", "y_pos", SPEED, HEADING]
KINDS = [kind.model_fields["kind"].default for kind in SEQUENCES]
GEOD = Geod(ellps="WGS84")


def made_messages(rows=400, vehicles=6):
    rng = np.random.default_rng(rows)
    frame = messages(rows, vehicles).assign(
        metadata_generatedAt=(np.sort(rng.integers(0, 60_000, rows)) * 1_000_001 // 1000 * 1000 + 10**15).view(
            "M8[us]"
        ),
        coreData_heading=rng.uniform(0, 360, rows),
    )
    return order.apply(frame)[0]


FRAME = made_messages()


def attacked(kind, frame=FRAME, **given):
    params = ANY.validate_python({"kind": kind, "ratio": 1.0, "centre": CENTRE, **given})
    return attack(frame, params)[0], params


def by_vehicle(frame):
    return [part for _, part in frame.groupby("vehicle")]


def since_s(part):
    return (part["time_us"] - part["time_us"].iloc[0]) / 1e6


def draw(counters, params, low, high):
    share, _ = uniform_pairs(np.asarray(counters, np.uint64), seed=params.seed, purpose=CLAIM)
    return low + share * (high - low)


def moved(part, bearing, distance):
    x, y, _ = GEOD.fwd(
        part["x_pos"], part["y_pos"], np.broadcast_to(bearing, len(part)), np.broadcast_to(distance, len(part))
    )
    return {"x_pos": x, "y_pos": y}


def offsets(counters, params):
    return bearings_and_distances(
        np.asarray(counters, np.uint64), seed=params.seed, purpose=OFFSET, min_m=params.min_m, max_m=params.max_m
    )


def const_pos(part, params, _whole):
    late = part[since_s(part) >= params.onset_s]
    if late.empty:
        return {}
    where = pd.concat([late.iloc[[0]]] * len(part))
    return moved(where, *offsets(part["vehicle"], params))


def const_speed(part, params, _whole):
    return {SPEED: draw(part["vehicle"], params, params.min_mps, params.max_mps)}


def random_speed(part, params, _whole):
    return {SPEED: draw(part["row_number"], params, params.min_mps, params.max_mps)}


def changed(part, counters, params):
    share, side = uniform_pairs(np.asarray(counters, np.uint64), seed=params.seed, purpose=CLAIM)
    amount = params.min_mps + share * (params.max_mps - params.min_mps)
    return {SPEED: np.maximum(0, part[SPEED] + np.where(side < 0.5, -1, 1) * amount)}


def const_speed_offset(part, params, _whole):
    return changed(part, part["vehicle"], params)


def random_speed_offset(part, params, _whole):
    return changed(part, part["row_number"], params)


def reversed_heading(part, _params, _whole):
    return {HEADING: (part[HEADING] + 180) % 360}


def eventual_stop(part, params, _whole):
    late = part[since_s(part) >= params.onset_s]
    return {} if late.empty else {"x_pos": late["x_pos"].iloc[0], "y_pos": late["y_pos"].iloc[0], SPEED: 0.0}


def stale(part, params, _whole):
    found = [part[part["time_us"] <= when - params.delay_s * 1e6].tail(1) for when in part["time_us"]]
    said = pd.concat([each if len(each) else part.head(1) for each in found])
    return {name: said[name].to_numpy() for name in ALL}


def drift(part, params, _whole):
    distance = np.clip((since_s(part) - params.onset_s) * params.rate_mps, 0, params.most_m)
    return moved(part, draw(part["vehicle"], params, 0, 360), distance.to_numpy())


def replay(part, params, whole):
    from cdpipe.kernels.draws.keyed import HEARD, keys

    drawn = keys(whole["vehicle"].to_numpy(), seed=params.seed, purpose=HEARD)
    victims = [each for _, each in whole.assign(key=drawn).groupby("key")]
    at = int(integers_below(part["vehicle"].to_numpy()[:1], seed=params.seed, purpose=CLAIM, bound=len(victims))[0])
    if victims[at]["vehicle"].iloc[0] == part["vehicle"].iloc[0]:
        at = (at + 1) % len(victims)
    victim = victims[at]
    elapsed = (victim["time_us"] - victim["time_us"].iloc[0]).to_numpy()
    since = (part["time_us"] - part["time_us"].iloc[0]).to_numpy() - round(params.onset_s * 1e6)
    said = [victim.iloc[np.flatnonzero(elapsed <= when % (elapsed[-1] + 1))[-1]] for when in since]
    return {name: np.array([each[name] for each in said]) for name in ALL}


ORACLES = {
    each.__name__: each
    for each in (
        const_pos, const_speed, const_speed_offset, random_speed, random_speed_offset, reversed_heading, eventual_stop,
        stale, drift, replay,
    )
}  # fmt: skip


def test_every_attack_on_sequences_has_a_test():
    assert {*ORACLES, "disruptive", "dos", "sybil", "replay_sybil"} == set(KINDS)


@pytest.mark.parametrize("given", [{}, {"onset_s": 20.0}], ids=["from the first", "later"])
@pytest.mark.parametrize("kind", ORACLES)
def test_an_attack_claims_what_it_says(kind, given):
    made, params = attacked(kind, **given)
    for part in by_vehicle(FRAME):
        active = (since_s(part) >= params.onset_s).to_numpy()
        claimed = part[ALL].assign(**ORACLES[kind](part, params, FRAME))
        expected = pd.DataFrame(np.where(active[:, None], claimed, part[ALL]), part.index, ALL)
        found = made.loc[part.index]
        np.testing.assert_allclose(found[ALL], expected, rtol=0, atol=1e-9)
        differs = (expected != part[ALL]).any(axis=1).to_numpy()
        assert (found["isAttacker"] == 1).all()
        assert (found["isFalse"].to_numpy() == differs).mean() > 0.95  # a way of no length may be off in the last digit
    others = [name for name in FRAME if name not in ALL]
    pd.testing.assert_frame_equal(made[others], FRAME[others])


def test_disruption_says_what_another_vehicle_s_message_said():
    made, _ = attacked("disruptive")
    said = {tuple(row[1:]): row[0] for row in FRAME[["vehicle", *ALL]].itertuples(index=False)}
    sources = [said[tuple(row)] for row in made[ALL].itertuples(index=False)]
    assert (np.array(sources) != made["vehicle"]).all()
    assert len(set(zip(*(made[name] for name in ALL), strict=True))) > 200
    assert (made["isFalse"] == 1).all()


@pytest.mark.parametrize("kind", ["disruptive", "replay"])
def test_who_hears_nobody_else_says_the_truth(kind):
    alone = FRAME[FRAME["vehicle"] == FRAME["vehicle"].iloc[0]].reset_index(drop=True)
    made, _ = attacked(kind, alone)
    pd.testing.assert_frame_equal(made[ALL], alone[ALL])
    assert (made["isFalse"] == 0).all()


@pytest.mark.parametrize("content", ["own", "random", "disruptive"])
@pytest.mark.parametrize("made_ids", [False, True])
def test_denial_of_service_sends_more(content, made_ids):
    made, params = attacked("dos", content=content, made_ids=made_ids, copies=3, spacing_ms=15.0)
    assert len(made) == 4 * len(FRAME)
    assert not made.duplicated(["row_number", "copy"]).any()
    own = made[made["copy"] == 0].set_index("row_number")
    pd.testing.assert_frame_equal(own[ALL], FRAME.set_index("row_number").loc[own.index, ALL])
    assert (own["isFalse"] == 0).all()
    for copy in (1, 2, 3):
        more = made[made["copy"] == copy].set_index("row_number").loc[own.index]
        assert (more["time_us"] - own["time_us"]).eq(15_000 * copy).where(own["time_is_coarse"] == 0, True).all()
        assert (more["isFalse"] == 1).all()
        assert more["coreData_id"].eq(own["coreData_id"]).all() != made_ids
        if content == "own":
            pd.testing.assert_frame_equal(more[ALL], own[ALL])
        if content == "random":
            counters = number_within(own.index.to_numpy().astype(np.uint64), np.full(len(own), copy))
            assert np.allclose(moves(own, more)[1], offsets(counters, params)[1], atol=1e-3)
    made_up = made[made["copy"] > 0]
    assert not made_ids or made_up["coreData_id"].nunique() > 0.99 * len(made_up)


def test_sybils_drive_in_a_grid_behind_their_maker():
    made, params = attacked("sybil", ghosts=4, columns=2, noise_m=0.0, onset_s=5.0)
    own = made[made["copy"] == 0].set_index("row_number")
    for copy, (along, across) in enumerate([(-20, -2), (-20, 2), (-40, -2), (-40, 2)], start=1):
        ghost = made[made["copy"] == copy].set_index("row_number")
        true = own.loc[ghost.index]
        bearing, distance = moves(true, ghost)
        np.testing.assert_allclose(distance, np.hypot(along, across), atol=1e-3)
        turn = np.degrees(np.arctan2(across, along))
        apart = (bearing - true[HEADING].to_numpy() - turn + 180) % 360 - 180
        np.testing.assert_allclose(apart, 0, atol=0.01)
        pd.testing.assert_frame_equal(ghost[[SPEED, HEADING]], true[[SPEED, HEADING]])
        assert (ghost["time_us"] == true["time_us"]).all()
        assert ghost.groupby("vehicle")["coreData_id"].nunique().eq(1).all()
    late = sum((since_s(part) >= 5.0).sum() for part in by_vehicle(FRAME))
    assert len(made) == len(FRAME) + 4 * late
    ids = made.groupby("vehicle")["coreData_id"].nunique()
    assert ids.max() == 5
    assert params.adds


def test_sybils_replay_others_and_change_with_each_turn():
    from cdpipe.kernels.draws.keyed import HEARD, keys

    made, params = attacked("replay_sybil", ghosts=2, turn_s=4.0, onset_s=5.0)
    drawn = keys(FRAME["vehicle"].to_numpy(), seed=params.seed, purpose=HEARD)
    others = [each for _, each in FRAME.assign(key=drawn).groupby("key")]
    own = made[made["copy"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(own[list(FRAME)], FRAME)
    ids = {}
    for part in by_vehicle(FRAME):
        for _, message in part[since_s(part) >= 5.0].iterrows():
            since_us = message["time_us"] - part["time_us"].iloc[0] - 5_000_000
            for ghost in (0, 1):
                number = since_us // 4_000_000 * 2 + ghost + 1
                counter = number_within(np.array([message["vehicle"]], np.uint64), np.array([number]))
                at = int(integers_below(counter, seed=params.seed, purpose=CLAIM, bound=len(others))[0])
                if others[at]["vehicle"].iloc[0] == message["vehicle"]:
                    at = (at + 1) % len(others)
                elapsed = others[at]["time_us"] - others[at]["time_us"].iloc[0]
                said = others[at][elapsed <= since_us % (elapsed.iloc[-1] + 1)].iloc[-1]
                (row,) = made.index[(made["row_number"] == message["row_number"]) & (made["copy"] == ghost + 1)]
                assert made.loc[row, ALL].tolist() == said[ALL].tolist()
                assert (made["time_us"][row], made["vehicle"][row]) == (message["time_us"], message["vehicle"])
                assert made["isFalse"][row] == 1
                ids.setdefault((message["vehicle"], number), set()).add(made.loc[row, "coreData_id"])
    assert sum(map(len, ids.values())) == len(set().union(*ids.values())) == len(ids) > 100
    assert not set().union(*ids.values()) & set(FRAME["coreData_id"])
    assert len(made) == len(FRAME) + 2 * sum((since_s(part) >= 5.0).sum() for part in by_vehicle(FRAME))


def test_sybils_that_hear_nobody_else_say_nothing():
    alone = FRAME[FRAME["vehicle"] == FRAME["vehicle"].iloc[0]].reset_index(drop=True)
    made, _ = attacked("replay_sybil", alone)
    assert (made["copy"] == 0).all()
    pd.testing.assert_frame_equal(made[ALL], alone[ALL])


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_of_the_time_is_attacked_in_episodes(kind):
    made, params = attacked(kind, active_share=0.5, episode_s=4.0, onset_s=3.0)
    added = made["copy"] > 0 if params.adds else made["isFalse"] == 1
    rows = set(made.loc[added, "row_number"])
    for part in by_vehicle(FRAME):
        hit = part["row_number"].isin(rows)
        since = since_s(part) - 3.0
        assert not hit[since < 0].any()
        by_episode = hit[since >= 0].groupby(since[since >= 0] // 4.0).mean()
        assert (by_episode.between(0.01, 0.6)).mean() < 0.35, "an episode is attacked as a whole or not at all"
    assert 0.2 < len(rows) / len(FRAME) < 0.7


@pytest.mark.parametrize("kind", [*KINDS, "mix"])
def test_who_does_not_attack_is_left_alone(kind):
    made, _ = attacked(kind, ratio=0.5)
    honest = made[made["isAttacker"] == 0]
    pd.testing.assert_frame_equal(
        honest[list(FRAME)].reset_index(drop=True),
        FRAME[FRAME["row_number"].isin(honest["row_number"])].reset_index(drop=True),
    )
    assert made.loc[made["isAttacker"] == 1, "vehicle"].nunique() == 3
    assert (honest["isFalse"] == 0).all()


def test_a_null_of_the_truth_stays():
    frame = FRAME.assign(**{SPEED: FRAME[SPEED].where(FRAME.index % 3 > 0)})
    made, _ = attacked("random_speed", frame)
    assert made[SPEED].isna().equals(frame[SPEED].isna())
    assert (made["isFalse"] == frame[SPEED].notna()).all()


def test_a_mix_is_what_each_of_its_attacks_makes_of_its_vehicles():
    kinds = ["offset_rand", {"kind": "stale", "delay_s": 3.0}, {"kind": "dos", "copies": 2}, "swap_rand"]
    frame = made_messages(900, 40)
    made, params = attacked("mix", frame, kinds=kinds, shares=[1, 2, 1, 1])
    which = params.choose(frame["vehicle"].to_numpy())
    assert set(which) == {0, 1, 2, 3}
    alone = [attack(frame, kind.model_copy(update={"ratio": 1.0}))[0] for kind in params.kinds]
    for number, kind in enumerate(params.kinds):
        mine = set(frame["vehicle"][which == number])
        expected = alone[number][alone[number]["vehicle"].isin(mine)].reset_index(drop=True)
        found = made[made["vehicle"].isin(mine)].reset_index(drop=True)
        pd.testing.assert_frame_equal(found[list(expected)], expected, obj=kind.kind)


def test_a_mix_of_attacks_on_single_messages_asks_for_no_order():
    from cdpipe.stages.attack import is_ordered

    assert not is_ordered(Mix(kinds=("offset_rand", "swap_rand")))
    assert is_ordered(Mix(kinds=("offset_rand", "stale")))
    plain = messages(500, 30)
    made, ledger = attack(plain, Mix(kinds=("offset_rand", "swap_rand"), ratio=1.0))
    assert list(made) == [*plain, "isAttacker", "isFalse"]
    assert made["row_number"].equals(plain["row_number"])
    assert ledger.notes["messages attacked by offset_rand"] + ledger.notes["messages attacked by swap_rand"] == 500


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"kind": "const_speed", "min_mps": 9, "max_mps": 3}, "min_mps 9.0 is greater than max_mps 3.0"),
        ({"kind": "stale", "choose_by": "row"}, "vehicle"),
        ({"kind": "mix", "kinds": []}, "at least 1"),
        ({"kind": "mix", "kinds": ["stale"], "shares": [1, 2]}, "give one for each"),
        ({"kind": "mix", "kinds": ["nonsense"]}, "nonsense"),
    ],
)
def test_what_cannot_be_is_said(given, says):
    with pytest.raises(ValueError, match=says):
        ANY.validate_python(given)
