"""Damaged entries of the cache: every flipped bit is found, made again, and found sound the next time."""

import json
import random
import shutil
import warnings
from itertools import product

import pandas as pd
import pytest
from making import FRAME, kept, name, put

from cdpipe.engine.api.reading import plan_sources
from cdpipe.engine.cache.manifest import seal
from cdpipe.engine.cache.store import CacheError, CacheParams, CacheWarning, Store
from cdpipe.engine.cache.verification import verify_entries
from cdpipe.engine.files.digests import DamageError
from cdpipe.engine.files.parts import read_notes, read_part, read_types, write_part
from cdpipe.engine.files.rejects import REJECTS
from cdpipe.engine.graph import partition as graph
from cdpipe.engine.graph.partition import lay_chain
from cdpipe.engine.graph.steps import Keep, Stored
from cdpipe.engine.run.runner import Runner
from cdpipe.stages.attacks.swap_rand import SwapRand
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.features import FeatureParams
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.synthetic.generator import SynthParams, synthesize


def flip(path, place, bit=0):
    """Flip a bit of the file at a path, in place, as a disk does."""
    with path.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)[0]
        stream.seek(place)
        stream.write(bytes([byte ^ (1 << bit)]))


# Files


def test_no_flipped_bit_of_a_manifest_goes_unseen(store):
    entry = put(store, 1, parts=2, padding=10)
    manifest = entry.directory / "manifest.json"
    whole, draw = manifest.read_bytes(), random.Random(1)
    for place in range(len(whole)):
        manifest.write_bytes(whole)
        flip(manifest, place, draw.randrange(8))
        (verdict,) = verify_entries(store.directory)
        assert (verdict.damaged, verdict.removed) == (True, False), place  # this store has it in use
    manifest.write_bytes(whole)
    assert store.lookup(name(1)) == entry


def test_no_flipped_bit_of_a_footer_goes_unseen(tmp_path):
    path, draw = tmp_path / "p", random.Random(2)
    known = write_part(FRAME, path)
    assert read_notes(path, known=known).num_rows == len(FRAME)
    pd.testing.assert_frame_equal(read_types(path, known=known), FRAME.iloc[:0])
    whole = path.read_bytes()
    length = int.from_bytes(whole[-8:-4], "little") + 8
    for place in range(known.bytes - length, known.bytes):
        path.write_bytes(whole)
        flip(path, place, draw.randrange(8))
        for read in (read_notes, read_types):
            with pytest.raises(DamageError, match="the footer of p has other bytes than were written there") as caught:
                read(path, known=known)
            assert caught.value.path == path


def test_no_flipped_bit_of_a_part_goes_unseen_whatever_columns_are_read(tmp_path):
    path, draw = tmp_path / "p", random.Random(3)
    known = write_part(FRAME, path)
    whole = path.read_bytes()
    for place in draw.sample(range(known.bytes), 300):
        path.write_bytes(whole)
        flip(path, place, draw.randrange(8))
        for columns in (None, ("x_pos",)):
            with pytest.raises(DamageError, match="p has other bytes than were written there"):
                read_part(path, columns, known=known)
    path.write_bytes(whole)
    pd.testing.assert_frame_equal(read_part(path, ("x_pos",), known=known), FRAME[["x_pos"]])


@pytest.mark.parametrize("size", [0, 3, 8, 100])
def test_a_part_cut_short_is_damage_even_without_a_footer(tmp_path, size):
    path = tmp_path / "p"
    known = write_part(FRAME, path)
    path.write_bytes(path.read_bytes()[:size])
    for read in (read_part, read_types, read_notes):
        with pytest.raises(DamageError):
            read(path, known=known)


def test_a_task_that_finds_damage_names_the_file_wherever_it_runs(tmp_path, session):
    known = write_part(FRAME, tmp_path / "p")
    flip(tmp_path / "p", 100)
    (task,) = lay_chain([Stored(tmp_path / "p", known=known)], [Keep("clean", tmp_path)])
    with pytest.raises(DamageError, match="p has other bytes") as caught:
        session.run([task])
    assert caught.value.path == tmp_path / "p"


# cdpipe cache verify


def test_verification_tells_sound_damaged_used_and_outdated_entries_apart(params):
    with Store(params) as store:
        entries = [put(store, number, parts=2, padding=100) for number in range(5)]
    flip(entries[1].parts[1], 500)
    flip(entries[2].directory / "padding.bin", 50)
    flip(entries[3].parts[0], 500)
    sealed = seal(entries[4].manifest)
    (entries[4].directory / "manifest.json").write_bytes(sealed[: sealed.rindex(b",")] + b"\n}")
    with Store(params) as user, Store(params) as store:
        user.lookup(name(3))
        found = {verdict.key: verdict for verdict in store.verify()}
        assert {number: found[name(number)].fault for number in range(4)} == {
            0: None,
            1: "part-000001.parquet has other bytes than were written there",
            2: "padding.bin has other bytes than were written there",
            3: "part-000000.parquet has other bytes than were written there",
        }
        told = [(found[name(number)].damaged, found[name(number)].removed) for number in range(5)]
        assert told == [(False, False), (True, True), (True, True), (True, False), (True, True)]
        assert found[name(0)].bytes == entries[0].manifest.bytes
        assert kept(params) == {0, 3}
    with Store(params) as store:
        assert [verdict.removed for verdict in store.verify() if verdict.damaged] == [True]
        assert [verdict.fault for verdict in store.verify()] == [None]


def test_what_another_run_has_made_anew_meanwhile_stays(params):
    with Store(params) as store, Store(params) as other:
        flip(put(store, 1).parts[0], 300)
        damage = DamageError("found while the other made it again")
        with pytest.warns(CacheWarning, match="was damaged"):
            other.discard(name(1), damage)
        entry = put(other, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            store.discard(name(1), damage)
        assert store.lookup(name(1)) == entry


# Runs

STAGES = ("gather", "clean", "features")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("damage") / "m.csv"
    synthesize(path, SynthParams(rows=300, vehicles=7))
    with path.open("ab") as stream:
        stream.write(b"a,bad,line\n")
    return path


@pytest.fixture
def prepare(source, tmp_path, threads):
    """Run the stages with all of them kept; returns the last one's bytes and rejects, and what the cache gave."""

    def run(*, seed=42, tamper=lambda _runner: None):
        params = {"clean": CleanParams(), "attack": SwapRand(seed=seed), "features": FeatureParams()}
        sources, _ = plan_sources([str(source)], GatherParams(block_mb=0.03), needed=params["clean"].inputs)
        with Store(CacheParams(directory=tmp_path / "cache")) as store:
            runner = Runner(
                {"gather": GatherParams(columns=sources[0].columns, block_mb=0.03), **params},
                files={str(source): "s"},
                require_unchanged=lambda: None,
                session=threads,
                store=store,
                kept=STAGES,
            )

            def look(prepared):
                tamper(prepared)
                prepared.entry.require_sound()
                rejects = (prepared.entry.directory / REJECTS).read_bytes()
                return [path.read_bytes() for path in prepared.entry.parts], rejects

            prepared, found = runner.use(runner.prepare(sources), sources, look)
        return found, prepared.cache

    return run


def find_files(cache, stage, kind):
    """Files of one kind in the entries of a stage."""
    return [
        path
        for manifest in sorted(cache.glob("??/*/manifest.json"))
        if json.loads(manifest.read_bytes())["stage"] == stage
        for path in sorted(manifest.parent.iterdir())
        if path.name.startswith(kind)
    ]


@pytest.mark.parametrize(
    ("stage", "kind"),
    [("gather", "files.json"), *product(STAGES, ("part-", REJECTS, "manifest.json"))],
)
def test_a_flipped_bit_anywhere_is_made_again_and_said_once(prepare, tmp_path, stage, kind):
    draw = random.Random(f"{stage} {kind}")
    sound, _ = prepare()
    # A run looks at the newest output, and at none before it.
    for newer in STAGES[STAGES.index(stage) + 1 :]:
        for manifest in find_files(tmp_path / "cache", newer, "manifest"):
            shutil.rmtree(manifest.parent)
    path = draw.choice(find_files(tmp_path / "cache", stage, kind))
    place = draw.randrange(path.stat().st_size)
    flip(path, place, draw.randrange(8))
    sharing = [manifest.parent for manifest in (tmp_path / "cache").glob("??/*/manifest.json")]
    damaged = [entry for entry in sharing if (entry / path.name).exists() and path.samefile(entry / path.name)]
    with pytest.warns(CacheWarning, match=f"was damaged and is gone: .*{path.name}") as told:
        found, _ = prepare()
    # Entries share one rejects file.
    assert sorted(str(each.message).split()[2] for each in told) == sorted(entry.name for entry in damaged)
    assert found == sound
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert prepare() == (sound, {"features": "hit"})


def test_damage_in_several_entries_at_once_is_all_made_again(prepare, tmp_path):
    sound, _ = prepare()
    for stage in STAGES:
        flip(find_files(tmp_path / "cache", stage, "part-")[1], 200)
    with pytest.warns(CacheWarning) as told:
        found, cache = prepare()
    assert len(told) == 3
    assert (found, cache) == (sound, {"features": "miss", "clean": "miss", "gather": "miss"})
    assert prepare() == (sound, {"features": "hit"})


def test_damage_that_comes_while_an_output_is_used_makes_it_anew(prepare):
    sound, _ = prepare()
    flipped = []

    def tamper(prepared):
        if not flipped:
            flipped.append(prepared.entry.parts[0])
            flip(flipped[0], 300)

    with pytest.warns(CacheWarning, match="was damaged and is gone"):
        assert prepare(tamper=tamper)[0] == sound
    assert prepare() == (sound, {"features": "hit"})


def test_a_disk_that_breaks_whatever_is_written_ends_in_one_sentence(prepare, monkeypatch):
    written = []

    def broken(frame, path, **how):
        known = write_part(frame, path, **how)
        flip(path, 100)
        written.append(path.name)
        return known

    monkeypatch.setattr(graph, "write_part", broken)
    with (
        pytest.warns(CacheWarning, match="was damaged"),
        pytest.raises(
            CacheError,
            match=r"was damaged 3 times when it was read .*; a disk or memory fails: check them, or set cache",
        ),
    ):
        prepare()
    assert written.count("part-000000.parquet") <= 9


@pytest.mark.parametrize(
    "ledger",
    [{}, {"stages": None}, {"stages": [{"colour": 1}]}, {"stages": []}, {"stages": [{"stage": "gather"}]}, {"a": 1}],
)
def test_accounts_of_another_form_are_made_again(prepare, tmp_path, ledger):
    sound, _ = prepare()
    (path,) = find_files(tmp_path / "cache", "features", "manifest")
    with Store(CacheParams(directory=tmp_path / "cache")) as store:
        manifest = store.lookup(path.parent.name).manifest
    path.write_bytes(seal(manifest.model_copy(update={"ledger": ledger})))
    with pytest.warns(CacheWarning, match="is of another version of cdpipe and is gone: its? "):
        found, cache = prepare()
    assert (found, cache) == (sound, {"features": "miss", "clean": "hit"})
    assert prepare() == (sound, {"features": "hit"})
