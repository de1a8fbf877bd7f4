from pathlib import Path

import pytest

from cdpipe.engine.projection import (
    MemoryLimitError,
    Projection,
    project_streaming,
    project_training,
    require_fit,
)
from cdpipe.engine.session import SessionParams, open_session


def test_streaming_grows_with_blocks_and_threads_and_not_with_anything_else():
    needs = {}
    for threads in (1, 2):
        with open_session(SessionParams(threads_per_worker=threads, memory_limit_gb=3)) as session:
            for block in (0, 10**6, 2 * 10**6):
                projection = project_streaming(session, largest_block_bytes=block)
                needs[threads, block] = projection.needed_bytes
                assert projection.limit_bytes == 3 * 10**9
    base = needs[1, 0]
    assert needs[2, 0] == base
    each = needs[1, 10**6] - base
    assert each >= 10**6
    assert needs[1, 2 * 10**6] == base + 2 * each
    assert needs[2, 10**6] == base + 2 * each


def test_facts_count_once_for_each_process():
    with open_session(SessionParams(threads_per_worker=2)) as session:
        plain, heavy = (project_streaming(session, largest_block_bytes=0, facts_bytes=size) for size in (0, 10**9))
        assert heavy.needed_bytes - plain.needed_bytes == 10**9 * session.workers


def test_training_grows_with_rows_features_and_trees():
    def need(rows=1_000_000, features=5, trees=10):
        return project_training(rows=rows, features=features, trees=trees, limit_bytes=1).needed_bytes

    assert need(rows=2_000_000) - need() == need() - need(rows=0)
    assert need(features=6) - need() >= 4 * 1_000_000  # a float32 a row at the very least
    assert need(trees=11) > need()


def test_what_fits_is_let_through_and_what_does_not_is_refused_with_the_figures_and_the_way_out():
    require_fit(Projection("streaming", 5 * 10**9, 5 * 10**9, "set gather.block_mb lower"))
    with pytest.raises(MemoryLimitError) as caught:
        require_fit(Projection("streaming", 6_120_000_000, 5 * 10**9, "set gather.block_mb lower"))
    text = str(caught.value)
    for said in ("6.12 GB", "5.00 GB", "set gather.block_mb lower", "session.memory_limit_gb"):
        assert said in text


def test_the_ways_out_are_keys_of_the_configuration():
    from cdpipe.example import example_config

    keys = {line.removeprefix("# ").partition(" = ")[0] for line in example_config().splitlines()}
    with open_session(SessionParams()) as session:
        found = [
            project_streaming(session, largest_block_bytes=1),
            project_training(rows=1, features=1, trees=1, limit_bytes=1),
        ]
    named = {word.strip("(),") for each in found for word in each.way_out.split() if "." in word}
    assert named
    for name in named - {"clean.filters"}:
        assert Path(name).suffix.removeprefix(".") in keys
