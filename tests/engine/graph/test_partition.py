from itertools import pairwise

import dask
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.api.types import union_categoricals

from cdpipe import attack, clean
from cdpipe.engine.files.parts import read_part, write_part
from cdpipe.engine.files.rejects import join_rejects
from cdpipe.engine.files.sources import cut, find_sources
from cdpipe.engine.graph.global_step import lay_facts
from cdpipe.engine.graph.partition import lay_chain, split_outcomes, sum_outcomes
from cdpipe.engine.graph.steps import Apply, Keep, Look, Outcome, Raw, Stored, part_name
from cdpipe.stages import BY_NAME
from cdpipe.stages.attacks.swap_rand import SwapRand
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.ledger import Ledger
from cdpipe.synthetic.generator import SynthParams, synthesize, synthesize_frame

COLUMNS = CleanParams().inputs(("coreData_position_lat", "coreData_position_long"))
MESSAGES = synthesize_frame(SynthParams(rows=900, vehicles=15))
CLEAN, CLEAN_LEDGER = clean(MESSAGES)
SWAP = SwapRand(ratio=0.5)


def compute(*laid):
    return dask.compute(*laid, scheduler="sync")


def read_parts(folder):
    """Parts as one frame; labels, which each part has its own of, are numbered anew as they occur."""
    frames = [read_part(path) for path in sorted(folder.iterdir())]
    made = pd.concat(frames, ignore_index=True)
    labels = [name for name, dtype in frames[0].dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    return made.assign(**{name: union_categoricals([frame[name] for frame in frames]) for name in labels})


@pytest.fixture
def stored(tmp_path):
    """Clean messages in five parts, one of them empty."""
    bounds = [0, 100, 100, 450, 800, len(CLEAN)]
    sources = []
    for index, (a, b) in enumerate(pairwise(bounds)):
        path = tmp_path / part_name(index)
        write_part(CLEAN.iloc[a:b], path)
        sources.append(Stored(path))
    return sources


def test_part_names_sort_as_their_numbers():
    numbers = [0, 9, 10, 99_999, 100_000]
    assert sorted(map(part_name, reversed(numbers))) == [part_name(number) for number in numbers]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_row_numbers_go_on_from_block_to_block_and_file_to_file(tmp_path, suffix):
    for name in ("a", "b"):
        synthesize(tmp_path / f"{name}.{suffix}", SynthParams(rows=300, vehicles=10, seed=ord(name)))
    blocks = [block for file in find_sources([str(tmp_path / "*")]) for block in cut(file, block_bytes=20_000)]
    keep = tmp_path / "out"
    keep.mkdir()
    outcomes = compute(*lay_chain([Raw(block, ("coreData_id",)) for block in blocks], [Keep("gather", keep)]))
    numbers = [number for path in sorted(keep.iterdir()) for number in read_part(path)["row_number"]]
    assert numbers == list(range(600))
    assert sum(outcome.rows for outcome in outcomes) == 600


def test_a_chain_applies_keeps_and_accounts_for_each_step(tmp_path):
    synthesize(tmp_path / "m.csv", SynthParams(rows=900, vehicles=15))
    with (tmp_path / "m.csv").open("ab") as stream:
        stream.write(b"bad line\n")
    folders = {name: tmp_path / name for name in ("gather", "clean")}
    for folder in folders.values():
        folder.mkdir()
    (file,) = find_sources([str(tmp_path / "m.csv")])
    sources = [Raw(block, COLUMNS, folders["gather"]) for block in cut(file, block_bytes=50_000)]
    steps = [Keep("gather", folders["gather"]), Apply("clean", CleanParams()), Keep("clean", folders["clean"])]
    totals = sum_outcomes(compute(*lay_chain(sources, steps)))
    cleaned = read_parts(folders["clean"])
    pd.testing.assert_frame_equal(cleaned.drop(columns="time_is_coarse"), CLEAN)
    assert set(cleaned["time_is_coarse"]) == {1}
    assert totals.ledgers["clean"] == CLEAN_LEDGER
    assert totals.ledgers["gather"] == Ledger("gather", 901, 900, {"too few fields": 1})
    assert totals.read_bytes == file.size - file.header.bytes
    assert set(totals.seconds) == {"gather", "clean"}
    assert min(totals.seconds.values()) > 0
    assert b'"line": 902' in join_rejects(folders["gather"], totals.ledgers["gather"]).read_bytes()


def test_surveys_of_any_number_of_parts_conclude_what_the_whole_does(stored, tmp_path):
    whole = BY_NAME["attack"].whole
    expected = whole.conclude(whole.survey(CLEAN, SWAP), SWAP)
    columns = whole.inputs(SWAP)
    for count in range(1, len(stored) + 1):
        parts = [source._replace(columns=columns) for source in stored[:count]]
        _accounts, surveys = split_outcomes(lay_chain(parts, [Look("attack", SWAP)]))
        (facts,) = compute(lay_facts(surveys, "attack", SWAP))
    assert facts[:3] == expected[:3]
    for found, pool in zip(facts.pool, expected.pool, strict=True):
        np.testing.assert_array_equal(found, pool)
    keep = tmp_path / "out"
    keep.mkdir()
    compute(*lay_chain(stored, [Apply("attack", SWAP), Keep("attack", keep)], facts={"attack": facts}))
    pd.testing.assert_frame_equal(read_parts(keep), attack(CLEAN, SWAP)[0])


def test_accounts_carry_no_survey(stored):
    accounts, surveys = split_outcomes(lay_chain(stored, [Look("attack", SWAP)]))
    assert all(each.survey is None for each in compute(*accounts))
    assert all(each is not None for each in compute(*surveys))


def test_each_chain_is_one_task_named_after_its_last_step(stored):
    laid = lay_chain(stored, [Apply("clean", CleanParams()), Look("attack", SWAP)])
    assert all(each.key.startswith("attack-") for each in laid)
    assert len({each.key for each in laid}) == len(stored)
    again = lay_chain(stored, [Look("attack", SWAP)])
    assert not {each.key for each in laid} & {each.key for each in again}


def test_a_stage_without_a_global_step_cannot_be_surveyed(stored):
    with pytest.raises(ValueError, match="'clean' needs to know nothing"):
        compute(*lay_chain(stored, [Look("clean", CleanParams())]))


COUNTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.floats(0, 9)), min_size=1, max_size=6)


@given(parts=COUNTS)
def test_totals_are_sums(parts):
    outcomes = [
        Outcome({"clean": Ledger("clean", a + b, a, {"null": b} if b else {})}, {"clean": s}, a + b, a)
        for a, b, s in parts
    ]
    totals = sum_outcomes(outcomes)
    assert totals.ledgers["clean"].rows_in == sum(a + b for a, b, _ in parts)
    assert sum(totals.ledgers["clean"].dropped.values()) == sum(b for _, b, _ in parts)
    assert totals.seconds["clean"] == pytest.approx(sum(s for *_, s in parts))
    assert totals.read_bytes == sum(a for a, *_ in parts)
