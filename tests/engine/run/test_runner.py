import json

import pandas as pd
import pytest
from observing import observing

from cdpipe import attack, clean, features, read
from cdpipe.engine.api.reading import plan_sources
from cdpipe.engine.cache.store import CacheParams, CacheWarning, Store
from cdpipe.engine.files.parts import read_part
from cdpipe.engine.files.rejects import REJECTS
from cdpipe.engine.run.observer import Announcer
from cdpipe.engine.run.runner import ORDER, Runner
from cdpipe.stages.attacks.offset_const import OffsetConst
from cdpipe.stages.attacks.swap_rand import SwapRand
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.features import FeatureParams
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.synthetic.generator import SynthParams, synthesize

GATHER = GatherParams(block_mb=0.03)
PARAMS = {"clean": CleanParams(), "attack": SwapRand(), "features": FeatureParams()}
PASSES = ["gather → clean", "attack → features"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("runner") / "m.csv"
    synthesize(path, SynthParams(rows=700, vehicles=11))
    with path.open("ab") as stream:
        stream.write(b"a,bad,line\n")
    return path


@pytest.fixture
def prepare(source, tmp_path, threads):
    """Run the stages; returns what came out, the passes as they were seen, and how many partitions each had."""

    def run(*, kept=("gather", "features"), files=None, succeeds=True, **changed):
        params = {**PARAMS, **changed}
        sources, _ = plan_sources([str(source)], GATHER, needed=params["clean"].inputs)
        given = {"gather": GatherParams(columns=sources[0].columns, block_mb=GATHER.block_mb), **params}
        seen = []
        with Store(CacheParams(directory=tmp_path / "cache")) as store:
            runner = Runner(
                given,
                files=files or {str(source): "s"},
                require_unchanged=lambda: None,
                session=threads,
                store=store,
                kept=kept,
                announcer=Announcer(observing(on_partition=lambda *told: seen.append(told))),
            )
            prepared = runner.prepare(sources)
            frame = pd.concat([read_part(path) for path in prepared.entry.parts], ignore_index=True)
            if succeeds:
                store.forget(prepared.passing)
            rejects = (prepared.entry.directory / REJECTS).read_text().splitlines()
        return prepared, frame, rejects, seen

    return run


def expected(source, **changed):
    """The same by one stage after another in pandas, with the ledgers."""
    params = {**PARAMS, **changed}
    lazy, ledger = read(source)
    frame, ledgers = lazy.compute(scheduler="sync").reset_index(drop=True), [ledger.compute(scheduler="sync")]
    for name, stage in (("clean", clean), ("attack", attack), ("features", features)):
        frame, account = stage(frame, params[name])
        ledgers.append(account)
    return frame, ledgers


def test_it_gives_what_the_stages_give_one_after_another(source, prepare):
    prepared, frame, rejects, _ = prepare()
    whole, ledgers = expected(source)
    pd.testing.assert_frame_equal(frame, whole)
    assert list(prepared.ledgers) == list(ORDER)
    assert list(prepared.ledgers.values()) == ledgers
    assert [json.loads(line)["line"] for line in rejects] == [702]


@pytest.mark.parametrize(
    ("attacking", "passes"),
    [
        (SwapRand(), PASSES),
        (OffsetConst(), PASSES),
        (SwapRand(choose_by="row"), PASSES),
        (OffsetConst(choose_by="row"), ["gather → clean → attack → features"]),
    ],
)
def test_a_pass_ends_only_before_a_stage_that_must_know_the_whole(source, prepare, attacking, passes):
    _, frame, _, seen = prepare(attack=attacking)
    assert list(dict.fromkeys(label for label, *_ in seen)) == passes
    pd.testing.assert_frame_equal(frame, expected(source, attack=attacking)[0])


def test_a_stage_that_must_know_the_whole_surveys_what_the_cache_kept(source, prepare):
    prepare(kept=("clean",))
    again, frame, _, seen = prepare(kept=("clean",), attack=OffsetConst())
    assert again.cache == {"clean": "hit"}
    assert list(dict.fromkeys(label for label, *_ in seen)) == ["survey for attack", "attack → features"]
    pd.testing.assert_frame_equal(frame, expected(source, attack=OffsetConst())[0])


def test_parts_that_the_filter_drops_whole_are_not_read(source, prepare):
    prepare()
    far = CleanParams(filters={"within": {"latitude": -41, "longitude": 100, "radius_m": 10}})
    again, frame, _, seen = prepare(clean=far)
    assert again.cache == {"features": "miss", "gather": "hit"}
    read = {outcome.read_bytes for label, *_, outcome in seen if outcome and label == "clean"}
    assert read == {0}
    assert len(frame) == 0
    assert list(again.ledgers.values()) == expected(source, clean=far)[1]


def test_every_pass_tells_its_beginning_and_each_partition_once(prepare):
    _, _, _, seen = prepare()
    for label in PASSES:
        told = [(done, total, outcome) for name, done, total, outcome in seen if name == label]
        total = told[0][1]
        assert total > 3
        assert [done for done, _, _ in told] == list(range(total + 1))
        assert [outcome is None for _, _, outcome in told] == [True] + [False] * total
    rows = sum(outcome.rows for label, *_, outcome in seen if outcome and label == PASSES[0])
    assert rows == 701


def test_a_second_run_takes_everything_from_the_cache_with_the_same_accounts(prepare):
    first, frame, rejects, _ = prepare()
    again, same, kept_rejects, seen = prepare()
    assert (first.cache, again.cache) == ({"features": "miss", "gather": "miss"}, {"features": "hit"})
    assert seen == []
    assert again.seconds == {}
    assert again.ledgers == first.ledgers
    assert rejects == kept_rejects
    pd.testing.assert_frame_equal(same, frame)


@pytest.mark.parametrize(
    "changed",
    [
        {"attack": SwapRand(seed=7)},
        {"clean": CleanParams(timestamp_parts=False)},
        {"features": FeatureParams(columns=("x_pos",))},
    ],
)
def test_a_changed_parameter_redoes_what_it_touches_from_the_newest_output_before_it(source, prepare, changed):
    prepare()
    again, frame, rejects, seen = prepare(**changed)
    assert again.cache == {"features": "miss", "gather": "hit"}
    assert list(dict.fromkeys(label for label, *_ in seen)) == ["clean", *PASSES[1:]]
    pd.testing.assert_frame_equal(frame, expected(source, **changed)[0])
    assert len(rejects) == 1
    assert again.ledgers["gather"].dropped == {"too few fields": 1}


def test_another_input_shares_nothing(source, prepare):
    prepare()
    assert prepare(files={str(source): "other"})[0].cache == {"features": "miss", "gather": "miss"}


def test_every_stage_can_be_kept_and_is_found_again(prepare):
    first = prepare(kept=ORDER)[0]
    assert first.cache == dict.fromkeys(ORDER, "miss")
    again, _, _, seen = prepare(kept=ORDER, features=FeatureParams(columns=("y_pos",)))
    assert again.cache == {"features": "miss", "attack": "hit"}
    assert list(dict.fromkeys(label for label, *_ in seen)) == ["features"]


def test_nothing_is_kept_where_nothing_is_to_be(source, prepare, tmp_path):
    first, frame, *_ = prepare(kept=())
    assert first.cache == {}
    assert not list((tmp_path / "cache").rglob("part-*"))
    pd.testing.assert_frame_equal(frame, expected(source)[0])


def test_a_run_goes_on_where_one_that_failed_stopped_and_then_keeps_nothing_for_that(source, prepare, tmp_path):
    first, frame, *_ = prepare(kept=(), succeeds=False)
    last, same, rejects, seen = prepare(kept=(), succeeds=False)
    assert (last.cache, seen, last.ledgers) == ({"features": "resumed"}, [], first.ledgers)
    pd.testing.assert_frame_equal(same, frame)
    other, changed, _, seen = prepare(kept=(), succeeds=False, attack=SwapRand(seed=7))
    assert other.cache == {"clean": "resumed"}
    assert list(dict.fromkeys(label for label, *_ in seen)) == ["survey for attack", PASSES[1]]
    pd.testing.assert_frame_equal(changed, expected(source, attack=SwapRand(seed=7))[0])
    for attacking in (SwapRand(), SwapRand(seed=7)):
        assert len(prepare(kept=(), attack=attacking)[2]) == len(rejects) == 1
    assert not list((tmp_path / "cache").rglob("part-*"))


def test_what_is_kept_only_to_go_on_is_nobody_elses(prepare, tmp_path):
    prepare(kept=("clean",))
    assert prepare(kept=("gather",))[0].cache == {"gather": "miss"}
    assert prepare(kept=("clean",), attack=SwapRand(seed=7))[0].cache == {"clean": "hit"}


def test_what_a_live_run_goes_on_from_stays_when_another_one_succeeds(prepare, tmp_path):
    first = prepare(kept=(), succeeds=False)[0]
    with Store(CacheParams(directory=tmp_path / "cache")) as live:
        entry = live.lookup(first.passing[-1])
        prepare(kept=())
        assert all(path.is_file() for path in entry.parts)
    prepare(kept=())
    assert not list((tmp_path / "cache").rglob("part-*"))


def test_what_is_kept_only_to_go_on_counts_toward_the_limit(prepare, tmp_path):
    prepare(kept=(), succeeds=False)
    with Store(CacheParams(directory=tmp_path / "cache", limit_gb=1e-9)) as store:
        assert store.evict().entries == 2


def test_a_stage_that_is_none_cannot_be_kept(prepare):
    with pytest.raises(ValueError, match=r"cache\.stages: there is no stage 'cleaning'; choose among gather, clean"):
        prepare(kept=("cleaning",))


@pytest.mark.parametrize("others", [{}, {"other": "t"}])
def test_a_damaged_account_of_files_is_said_and_gathered_again(source, prepare, tmp_path, others):
    """Of the same files, and of another run's whose file this one has too."""
    _, frame, *_ = prepare(files={str(source): "s", **others})
    for path in (tmp_path / "cache").rglob("files.json"):
        path.write_text(path.read_text().replace("{", "[", 1))
    with pytest.warns(CacheWarning, match=r"was damaged and is gone: files\.json has other bytes"):
        again, same, *_ = prepare(attack=SwapRand(seed=7))
    assert again.cache == {"features": "miss", "gather": "miss"}
    pd.testing.assert_frame_equal(same[["row_number"]], frame[["row_number"]])
    assert prepare(attack=SwapRand(seed=8))[0].cache == {"features": "miss", "gather": "hit"}
