"""Every benchmark once, at its smallest size, by asv itself. `.ci/run` runs this last; the tests do not collect it.

asv's exit status says whether a benchmark failed, but it is also zero when there was nothing to run: so the count is
asserted, and held against what the table of sizes says.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from asv_runner.discovery import disc_benchmarks

from benchmarks import _sizes

ROOT = Path(_sizes.__file__).parents[1]
NAMES = [each.name for each in disc_benchmarks(str(ROOT / "benchmarks"))]


HALVES = (r"(?=(attack|pipeline|train|cache|job|gate)\.)", r"(?!(attack|pipeline|train|cache|job|gate)\.)")
"""Of the modules, about as long each: nothing here asks how long a benchmark takes, so two run at a time."""


def start(folder, half):
    """Start `asv run --quick` on one half of the benchmarks, with results and home of its own."""
    folder.mkdir()
    conf = json.loads((ROOT / "asv.conf.json").read_text(encoding="utf-8"))
    conf |= {"repo": str(ROOT), "benchmark_dir": str(ROOT / "benchmarks"), "results_dir": "results"}
    (folder / "asv.conf.json").write_text(json.dumps(conf), encoding="utf-8")
    where = {"env": {**os.environ, "HOME": str(folder)}, "cwd": folder, "stdin": subprocess.DEVNULL}
    asv = [sys.executable, "-m", "asv"]
    subprocess.run([*asv, "machine", "--yes"], **where, check=True)
    arguments = ["--quick", "--show-stderr", "--environment", f"existing:{sys.executable}", "--set-commit-hash", "HEAD"]
    with (folder / "asv.log").open("w") as log:
        return subprocess.Popen(
            [*asv, "run", *arguments, "--bench", half + _sizes.select("smoke")],
            **where,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """What the runs of both halves left: their exit statuses and output, and the results by benchmark."""
    base = tmp_path_factory.mktemp("asv")
    runs = {base / f"half{index}": half for index, half in enumerate(HALVES)}
    processes = []
    try:
        for folder, half in runs.items():
            processes.append(start(folder, half))
        statuses = [process.wait() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    log = "".join((folder / "asv.log").read_text(encoding="utf-8") for folder in runs)
    results = {}
    for folder in runs:
        files = [path for path in (folder / "results").glob("*/*.json") if path.name != "machine.json"]
        assert len(files) == 1, log
        measured = json.loads(files[0].read_text(encoding="utf-8"))["results"]
        assert not measured.keys() & results.keys(), "a benchmark is in both halves"
        results |= measured
    return statuses, log, results


@pytest.mark.timeout(1200)
def test_asv_ran_and_says_that_nothing_failed(finished):
    statuses, log, results = finished
    assert statuses == [0, 0], log
    assert len(results) == len(NAMES) > 50, log


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NAMES)
def test_asv_measured(name, finished):
    _, log, results = finished
    values = results[name][0]
    assert None not in values, log
    assert any(not math.isnan(value) for value in values), f"{name} was skipped, or its smallest size not selected"
