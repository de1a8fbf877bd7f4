import re
import subprocess
import sys
from pathlib import Path

import pytest
from clusters import environment

from cdpipe.engine.run.memory_projection import (
    BASE_BYTES,
    MemoryLimitError,
    Projection,
    project_streaming,
    project_training,
    require_fit,
)
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams


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


def test_trees_that_grow_at_once_count_and_no_more_of_them_than_there_are():
    def need(trees, threads):
        return project_training(rows=10**6, features=5, trees=trees, threads=threads, limit_bytes=1).needed_bytes

    assert need(100, 8) > need(100, 1)
    assert need(4, 64) == need(4, 4)


def test_the_sample_that_the_way_out_names_is_the_largest_that_fits():
    given = {"features": 5, "trees": 100, "threads": 2, "limit_bytes": 4 * 10**9}
    refused = project_training(rows=10**7, **given)
    assert not refused.fits
    most = int(re.search(r"train\.sample_rows to ([\d,]+) or fewer", refused.way_out)[1].replace(",", ""))
    assert project_training(rows=most, **given).fits
    assert not project_training(rows=most + 100, **given).fits


def test_where_no_sample_fits_none_is_named():
    assert "sample_rows" not in project_training(rows=10, features=1, trees=1, limit_bytes=10**6).way_out


TRAINING = """
import sys
from pathlib import Path
import numpy as np
import pandas as pd
from cdpipe.training.train import TrainParams, train_parts

name, rows, sample_rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) or None

def make(part, rows):
    rng = np.random.default_rng(part)
    features = {f"f{i}": rng.normal(size=rows) for i in range(FEATURES)}
    keys = {"row_number": part * rows + np.arange(rows), "vehicle": rng.integers(0, 2**64, rows, np.uint64)}
    # labels that are noise make trees as large as they can be
    label = rng.integers(0, 2, rows, np.int8)
    return pd.DataFrame({**keys, "time_us": np.arange(rows), **features, "isAttacker": label})

def run(parts, rows):
    def read(columns):
        return (make(part, rows) if columns is None else make(part, rows)[list(columns)] for part in range(parts))
    params = TrainParams(classifiers=(name,), trees=TREES, split="row", sample_rows=sample_rows)
    return train_parts(read, params, rows=parts * rows, threads=2)

def resident(line):
    status = dict(each.split(":", 1) for each in Path("/proc/self/status").read_text().splitlines())
    return int(status[line].split()[0]) * 1024

run(2, 3_000)  # what is imported late, threads
before = resident("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again
trained = run(10, rows // 10)
print(resident("VmHWM") - before, trained.train_rows + trained.test_rows)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RandomForest", "DecisionTree", "KNeighbors", "HistGradientBoosting"])
def test_training_on_noise_stays_under_what_is_projected(name):
    """The grown part alone: a projection that is too low must not hide behind what a process has anyway."""
    found, rows = measure_training(name, rows=60_000)
    trees = 20 if name == "RandomForest" else 1
    projected = project_training(rows=rows, features=5, trees=trees, threads=2, limit_bytes=10**12)
    assert rows == 60_000
    assert 0 < found <= projected.needed_bytes - BASE_BYTES


@pytest.mark.slow
def test_a_sample_takes_the_memory_of_a_sample():
    found, rows = measure_training("DecisionTree", rows=300_000, sample_rows=30_000)
    assert 25_000 < rows <= 30_000
    tally = 300_000 * 80  # here each message is a vehicle of its own, which is counted
    projected = project_training(rows=30_000, features=5, trees=1, threads=2, limit_bytes=10**12)
    assert found <= projected.needed_bytes - BASE_BYTES + tally


def measure_training(name, *, rows, sample_rows=0):
    """Train in a process of its own; what it held at most beyond what it had, in bytes, and on how many rows."""
    script = TRAINING.replace("FEATURES", "5").replace("TREES", "20")
    command = [sys.executable, "-c", script, name, str(rows), str(sample_rows)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(map(int, done.stdout.split()))


def test_what_fits_is_let_through_and_what_does_not_is_refused_with_the_figures_and_the_way_out():
    require_fit(Projection("streaming", 5 * 10**9, 5 * 10**9, "set gather.block_mb lower"))
    with pytest.raises(MemoryLimitError) as caught:
        require_fit(Projection("streaming", 6_120_000_000, 5 * 10**9, "set gather.block_mb lower"))
    text = str(caught.value)
    for said in ("6.12 GB", "5.00 GB", "set gather.block_mb lower", "session.memory_limit_gb"):
        assert said in text


def test_the_ways_out_are_keys_of_the_configuration():
    from cdpipe.config.template import example_config

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
