"""Invariant 4: laying a pipeline over partitions computes nothing and reads no more of a file than its header."""

import io
from itertools import pairwise
from pathlib import Path

import dask
import dask.dataframe as dd
import pytest
from contract_data import block_mb, name_of, variants

from cdpipe import attack, clean, features, read
from cdpipe.engine.api.stages import apply_stage
from cdpipe.engine.files import sources
from cdpipe.engine.files.sources import cut, find_sources
from cdpipe.engine.graph.global_step import lay_facts
from cdpipe.engine.graph.partition import lay_chain, split_outcomes
from cdpipe.engine.graph.steps import Apply, Keep, Look, Stored
from cdpipe.stages.attacks import ATTACKS
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.synthetic.generator import SynthParams, synthesize

FIRST_BYTES = 1 << 18
"""What is looked at to decide how a file writes its values."""

HEADER_BYTES = 1 << 20


class ComputedError(AssertionError):
    """Something was computed."""


@pytest.fixture
def nothing_computes():
    """A scheduler that raises, for all that dask computes here."""

    def refuse(*_args, **_options):
        raise ComputedError

    with dask.config.set(scheduler=refuse):
        with pytest.raises(ComputedError):
            dask.delayed(int)(1).compute()
        yield


@pytest.fixture
def read_bytes(monkeypatch):
    """Bytes that cdpipe reads of local files, by name."""
    counts = {}

    class Counting(io.FileIO):
        def read(self, size=-1):
            data = super().read(size)
            counts[Path(self.name).name] = counts.get(Path(self.name).name, 0) + len(data)
            return data

    monkeypatch.setattr(sources, "open_stream", lambda path: Counting(path, "rb"))
    return counts


@pytest.mark.parametrize("variant", variants(), ids=name_of)
def test_laying_a_stage_computes_nothing(variant, stage_inputs, nothing_computes):
    frame = stage_inputs[variant.stage]
    looked_at = []

    def watched(piece):
        looked_at.append(len(piece))
        return piece

    pieces = [dask.delayed(watched)(frame.iloc[i::4]) for i in range(4)]
    lazy = dd.from_delayed(pieces, meta=frame.iloc[:0], verify_meta=False)
    laid, ledger = apply_stage(variant.stage, lazy, variant.params)
    assert looked_at == []
    with pytest.raises(ComputedError):
        laid.compute()
    with pytest.raises(ComputedError):
        ledger.compute()


def test_a_whole_pipeline_is_laid_without_computing(dirty_csv, nothing_computes):
    frame, read_ledger = read(dirty_csv, GatherParams(block_mb=0.1))
    cleaned, clean_ledger = clean(frame)
    attacked, attack_ledger = attack(cleaned, ATTACKS[3]())
    chosen, feature_ledger = features(attacked)
    assert chosen.npartitions == frame.npartitions > 5
    for lazy in (chosen, read_ledger, clean_ledger, attack_ledger, feature_ledger):
        with pytest.raises(ComputedError):
            lazy.compute()


def test_the_runner_s_chains_are_laid_without_computing(tmp_path, nothing_computes, stage_inputs):
    stored = [Stored(tmp_path / f"{i}.parquet") for i in range(3)]
    kind = ATTACKS[0]()
    outcomes, surveys = split_outcomes(lay_chain(stored, [Look("attack", kind)]))
    lay_facts(surveys, "attack", kind)
    lay_chain(stored, [Apply("attack", kind), Keep("attack", tmp_path)])
    with pytest.raises(ComputedError):
        dask.compute(*outcomes)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_reading_lays_blocks_after_a_look_at_headers_and_line_ends(tmp_path, read_bytes, nothing_computes, suffix):
    path = tmp_path / f"a{suffix}"
    synthesize(path, SynthParams(rows=40_000))
    size = path.stat().st_size
    assert size > 5 * HEADER_BYTES
    frame, _ = read(path, GatherParams(block_mb=block_mb(path, 8)))
    assert frame.npartitions == 8
    assert 0 < read_bytes[path.name] <= HEADER_BYTES + FIRST_BYTES + 8 * (1 << 16)


def test_blocks_are_whole_lines_and_cover_the_file(tmp_path):
    path = tmp_path / "a.csv"
    synthesize(path, SynthParams(rows=2_000))
    data = path.read_bytes()
    [file] = find_sources([str(path)])
    for size in (1, 100, 222, 10_000, 10**9):
        blocks = cut(file, block_bytes=size)
        assert blocks[0].start == data.index(b"\n") + 1
        assert blocks[-1].stop == len(data)
        assert all(before.stop == after.start for before, after in pairwise(blocks))
        assert all(data[block.stop - 1 : block.stop] == b"\n" for block in blocks)
