"""Invariant 1: the same answer for any number of partitions, workers, threads and schedulers, and after a death."""

from itertools import pairwise

import dask
import dask.dataframe as dd
import numpy as np
import pytest
from contract_data import (
    assert_identical,
    attack_variants,
    block_mb,
    join,
    name_of,
    types_of,
    variants,
)

from cdpipe import read
from cdpipe.engine.api.stages import apply_stage
from cdpipe.stages.attacks import SEQUENCES, Mix
from cdpipe.stages.attacks.offset_rand import OffsetRand
from cdpipe.stages.features import FeatureParams
from cdpipe.stages.gather.gather import GatherParams

EVERY = variants()
OF_A_STREAM = {kind.model_fields["kind"].default for kind in (*SEQUENCES, Mix)}
MOST = [
    pytest.param(each, marks=pytest.mark.slow) if each.label.removesuffix("-local-vehicle") in OF_A_STREAM else each
    for each in EVERY
]
"""Every variant; the second of those whose kernels take longest to compile is for the night."""


def compute_both(laid, ledger, scheduler="threads"):
    """Compute a lazy frame and its account in one go: dask warns of a frame and a delayed value together."""
    *parts, account = dask.compute(*laid.to_delayed(), ledger, scheduler=scheduler)
    return join(parts), account


def lay(pieces):
    """A Dask frame of these partitions as they are: `from_pandas` would give text another type."""
    return dd.from_delayed([dask.delayed(piece) for piece in pieces], meta=pieces[0].iloc[:0], verify_meta=False)


def cut(frame, partitions):
    bounds = np.linspace(0, len(frame), partitions + 1).astype(int)
    return [frame.iloc[start:stop] for start, stop in pairwise(bounds)]


def on_dask(variant, frame, partitions):
    laid, ledger = apply_stage(variant.stage, lay(cut(frame, partitions)), variant.params)
    assert laid.npartitions == partitions
    return compute_both(laid, ledger)


# Stages


@pytest.mark.parametrize("variant", MOST, ids=name_of)
def test_a_stage_gives_the_same_on_pandas_and_on_1_3_and_16_partitions(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    whole, ledger = apply_stage(variant.stage, frame, variant.params)
    assert len(whole) > 100, "a filter that keeps nothing would prove nothing"
    for partitions in (1, 3, 16):
        parted, account = on_dask(variant, frame, partitions)
        assert_identical(whole.reset_index(drop=True), parted)
        assert account == ledger


@pytest.mark.parametrize("variant", EVERY, ids=name_of)
def test_a_stage_gives_the_same_rows_in_any_order_of_rows(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    whole, ledger = apply_stage(variant.stage, frame, variant.params)
    mixed, account = apply_stage(variant.stage, frame.sample(frac=1, random_state=7), variant.params)
    assert not mixed["row_number"].is_monotonic_increasing
    assert_identical(
        whole.sort_values("row_number", ignore_index=True), mixed.sort_values("row_number", ignore_index=True)
    )
    assert account == ledger


@pytest.mark.parametrize("variant", EVERY, ids=name_of)
def test_a_stage_gives_the_same_whatever_the_index_of_rows(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    whole, _ = apply_stage(variant.stage, frame, variant.params)
    odd = frame.set_axis(np.zeros(len(frame), np.int64))
    assert_identical(
        whole.reset_index(drop=True), apply_stage(variant.stage, odd, variant.params)[0].reset_index(drop=True)
    )


@pytest.mark.parametrize("variant", EVERY, ids=name_of)
def test_empty_partitions_change_nothing(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    whole, ledger = apply_stage(variant.stage, frame, variant.params)
    pieces = [frame.iloc[:0], frame.iloc[:1], frame.iloc[1:1], frame.iloc[1:], frame.iloc[:0]]
    done, account = compute_both(*apply_stage(variant.stage, lay(pieces), variant.params))
    assert_identical(whole.reset_index(drop=True), done)
    assert account == ledger


@pytest.mark.parametrize("variant", EVERY, ids=name_of)
def test_a_stage_takes_a_data_set_without_rows(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    whole, _ = apply_stage(variant.stage, frame, variant.params)
    none, ledger = apply_stage(variant.stage, frame.iloc[:0], variant.params)
    assert (len(none), ledger.rows_in, ledger.rows_out) == (0, 0, 0)
    assert types_of(none) == types_of(whole)


@pytest.mark.parametrize("variant", EVERY, ids=name_of)
def test_the_types_promised_by_a_lazy_frame_are_those_it_has(variant, stage_inputs):
    laid, _ = apply_stage(variant.stage, lay(cut(stage_inputs[variant.stage], 3)), variant.params)
    assert types_of(laid) == types_of(laid.compute(scheduler="sync"))


def test_a_frame_without_row_numbers_is_numbered_alike(stage_inputs):
    frame = stage_inputs["clean"].drop(columns="row_number")
    variant = EVERY[0]
    whole, _ = apply_stage(variant.stage, frame, variant.params)
    assert whole["row_number"].max() > 2_000
    for partitions in (1, 3, 16):
        assert_identical(whole, on_dask(variant, frame, partitions)[0])


def test_the_text_type_of_a_frame_from_pandas_changes_nothing_else(stage_inputs):
    frame = stage_inputs["attack"]
    for stage, params in (("attack", OffsetRand()), ("features", FeatureParams(columns="all"))):
        whole, _ = apply_stage(stage, frame, params)
        laid, ledger = apply_stage(stage, dd.from_pandas(frame, npartitions=3, sort=False), params)
        done, _ = compute_both(laid, ledger)
        text = whole.select_dtypes("str").columns
        assert_identical(whole, done.astype(dict.fromkeys(text, "str")))
        frame = whole


@pytest.mark.parametrize("variant", attack_variants(), ids=name_of)
def test_attackers_and_offsets_follow_the_seed_and_nothing_else(variant, stage_inputs):
    frame = stage_inputs["attack"]
    one, _ = apply_stage("attack", frame, variant.params)
    other, _ = apply_stage("attack", frame, variant.params.model_copy(update={"seed": 43}))
    assert_identical(one, apply_stage("attack", frame, variant.params)[0])
    assert not one["isAttacker"].equals(other["isAttacker"])


def test_reading_gives_the_same_for_any_block_size(dirty_csv, raw):
    for blocks in (1, 3, 16):
        laid, ledger = read(dirty_csv, GatherParams(block_mb=block_mb(dirty_csv, blocks)))
        assert laid.npartitions == blocks
        done, account = compute_both(laid, ledger)
        assert_identical(raw, done)
        assert (account.rows_in, account.rows_out) == (3_000, len(raw))
