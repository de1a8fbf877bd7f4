"""Runs whose messages are put in order: the same whatever the blocks, buckets and order of the rows."""

import numpy as np
import pandas as pd
import pytest
from contract_data import CENTRE, assert_identical, join
from echo_attack import Echo, Freeze
from observing import observing

from cdpipe import attack, clean, features, read
from cdpipe.engine.api.reading import plan_sources
from cdpipe.engine.cache.store import CacheParams, CacheWarning, Store
from cdpipe.engine.files.parts import read_part
from cdpipe.engine.run.observer import Announcer
from cdpipe.engine.run.runner import Runner
from cdpipe.stages.attacks import SEQUENCES, Mix
from cdpipe.stages.attacks.offset_const import OffsetConst
from cdpipe.stages.attacks.sequences import Dos
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.features import FeatureParams
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.synthetic.generator import SynthParams, synthesize

KINDS = {
    kind.model_fields["kind"].default: kind(ratio=0.5, onset_s=3.0, active_share=0.7, episode_s=2.0)
    for kind in SEQUENCES
}
MIX = Mix(ratio=0.8, centre=CENTRE, kinds=("offset_rand", "dos", "stale", "replay", "sybil", "swap_rand"))
ATTACKS = {
    **KINDS,
    "mix": MIX,
    "random dos": Dos(ratio=0.5, content="random", made_ids=True, spacing_ms=400.0),
    "echo": Echo(ratio=0.5),
    "late echo": Echo(ratio=0.5, delay_s=40.0, onset_s=3.0),
    "freeze": Freeze(ratio=0.5, onset_s=5.0, active_share=0.6, episode_s=2.0),
    "memory": Freeze(ratio=0.5, memory_s=7.0),
}
WIDE = CleanParams(timestamp_parts=True)
FEATURES = FeatureParams(columns="all", history=True, checks=True, window=3)
PLAIN = FeatureParams(columns="all")


def write(path, change):
    synthesize(path, SynthParams(rows=900, vehicles=7))
    frame = pd.read_csv(path, dtype=str)
    change(frame).to_csv(path, index=False)
    return path


def coarse(frame):
    times = frame["metadata_generatedAt"].str.replace(r"\.\d+", "", regex=True)
    return frame.assign(metadata_generatedAt=times, coreData_secMark="65535")


def one_vehicle(frame):
    return frame.assign(coreData_id="ABCDEF01")


def one_moment(frame):
    return coarse(frame).assign(metadata_generatedAt="2019-07-31T12:41:59Z", coreData_id="ABCDEF01")


SHAPES = {"plain": lambda frame: frame, "coarse": coarse, "giant": one_vehicle, "one moment": one_moment}


SLOW = pytest.mark.slow
FEW = ("plain", "giant")


@pytest.fixture(scope="module", params=[pytest.param(name, marks=() if name in FEW else SLOW) for name in SHAPES])
def source(request, tmp_path_factory):
    return write(tmp_path_factory.mktemp("ordered") / "m.csv", SHAPES[request.param])


@pytest.fixture
def prepare(source, tmp_path, threads):
    def run(attacking, *, blocks=1, buckets=None, kept=(), features=FEATURES, on_partition=lambda *_told: None):
        gather = GatherParams(block_mb=source.stat().st_size / 1e6 / blocks * 1.02)
        sources, _ = plan_sources([str(source)], gather, needed=WIDE.inputs)
        params = {"clean": WIDE, "attack": attacking, "features": features}
        params["gather"] = GatherParams(columns=sources[0].columns, block_mb=gather.block_mb)
        with Store(CacheParams(directory=tmp_path / "cache")) as store:
            runner = Runner(
                params,
                files={str(source): "s"},
                require_unchanged=lambda: None,
                session=threads,
                store=store,
                kept=kept,
                buckets=buckets,
                announcer=Announcer(observing(on_partition=on_partition)),
            )
            prepared = runner.prepare(sources)
            frame = join([read_part(path) for path in prepared.entry.parts])
            store.forget(prepared.passing)
        return prepared, frame

    return run


def test_history_alone_asks_for_order(source, prepare):
    given = OffsetConst(ratio=0.5, choose_by="row")
    prepared, frame = prepare(given, blocks=17, buckets=31)
    assert_identical(expected(source, given)[0], frame)
    assert [*prepared.ledgers] == ["gather", "clean", "order", "attack", "features"]


def expected(source, attacking):
    frame = read(source)[0].compute(scheduler="sync").reset_index(drop=True)
    frame, _ = clean(frame, WIDE)
    attacked, ledger = attack(frame, attacking)
    return features(attacked, FEATURES)[0], ledger, frame


@pytest.mark.parametrize(
    "name", [name if name in ("late echo", "mix") else pytest.param(name, marks=SLOW) for name in ATTACKS]
)
@pytest.mark.parametrize(
    ("blocks", "buckets"),
    [(17, 31), *(pytest.param(a, b, marks=SLOW) for a in (1, 3, 17) for b in (1, 8, 31) if (a, b) != (17, 31))],
)
def test_a_run_gives_what_the_stages_give_on_the_whole_in_order(source, prepare, name, blocks, buckets):
    whole, ledger, _ = expected(source, ATTACKS[name])
    prepared, frame = prepare(ATTACKS[name], blocks=blocks, buckets=buckets)
    assert_identical(whole, frame)
    assert prepared.ledgers["attack"] == ledger
    assert [*prepared.ledgers] == ["gather", "clean", "order", "attack", "features"]


@pytest.mark.parametrize("name", ["late echo", pytest.param("freeze", marks=SLOW)])
def test_the_order_of_the_rows_does_not_matter(source, name):
    whole, _, frame = expected(source, ATTACKS[name])
    shuffled, _ = attack(frame.sample(frac=1, random_state=5), ATTACKS[name])
    assert_identical(whole, features(shuffled, FEATURES)[0])


def test_a_vehicle_larger_than_a_bucket_is_taken_in_pieces(source, prepare):
    seen = []
    prepared, frame = prepare(Echo(ratio=1.0), blocks=30, on_partition=lambda *told: seen.append(told))
    pieces = {total for label, _, total, _ in seen if label == "attack → features"}
    vehicles, moments = frame["vehicle"].nunique(), frame["time_us"].nunique()
    assert pieces == {len(prepared.entry.parts)}
    assert max(pieces) > 1 or moments < 9
    if vehicles == 7 + 7 or moments > 100:
        assert max(pieces) >= 7


def test_added_messages_are_in_the_account_and_keyed_by_row_and_copy(source, prepare):
    prepared, frame = prepare(Echo(ratio=1.0))
    ledger = prepared.ledgers["attack"]
    assert ledger.added == {"echo": 2 * ledger.rows_in}
    assert ledger.as_dict()["added"] == {"echo": 2 * ledger.rows_in}
    assert not frame.duplicated(["row_number", "copy"]).any()
    assert (frame["isAttacker"] == 1).all()
    own, echo = (frame[frame["copy"] == copy].set_index("row_number").sort_index() for copy in (0, 1))
    np.testing.assert_array_equal(echo["x_pos"], own["x_pos"] + 0.001)
    assert (own["coreData_id"] == echo["coreData_id"]).all()
    made = frame[frame["copy"] == 2]
    assert not set(made["coreData_id"]) & set(own["coreData_id"])
    assert made.groupby("vehicle")["coreData_id"].nunique().eq(1).all()
    fine = own["time_is_coarse"] == 0
    assert (echo["time_us"] - own["time_us"])[fine].eq(350_000).all()


def test_runs_that_ask_for_no_order_have_none(source, prepare):
    prepared, frame = prepare(OffsetConst(), blocks=3, features=PLAIN)
    assert [*prepared.ledgers] == ["gather", "clean", "attack", "features"]
    assert frame["row_number"].is_monotonic_increasing
    assert "copy" not in frame


def test_the_order_is_kept_and_found_again_where_asked_for(source, prepare):
    first, frame = prepare(ATTACKS["echo"], blocks=3, kept=("order",))
    again, same = prepare(ATTACKS["echo"], blocks=3, buckets=5, kept=("order",))
    assert (first.cache, again.cache) == ({"order": "miss"}, {"order": "hit"})
    assert_identical(frame, same)


def test_a_damaged_bucket_is_said_and_made_again(source, prepare, tmp_path):
    _, frame = prepare(ATTACKS["echo"], blocks=3, kept=("order",))
    path = sorted((tmp_path / "cache").rglob("*.buckets"))[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.warns(CacheWarning, match=r"part-000001\.buckets has other bytes at"):
        _, same = prepare(ATTACKS["echo"], blocks=3, kept=("order",))
    assert_identical(frame, same)
