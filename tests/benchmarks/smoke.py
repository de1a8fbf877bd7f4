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


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """What `asv run --quick` left: its exit status and output, and the results by benchmark."""
    folder = tmp_path_factory.mktemp("asv")
    conf = json.loads((ROOT / "asv.conf.json").read_text(encoding="utf-8"))
    # A continuous-integration checkout is of a commit, and may have no branch `main`.
    conf |= {
        "repo": str(ROOT),
        "branches": ["HEAD"],
        "benchmark_dir": str(ROOT / "benchmarks"),
        "results_dir": "results",
    }
    (folder / "asv.conf.json").write_text(json.dumps(conf), encoding="utf-8")
    environment = {**os.environ, "HOME": str(folder)}
    asv = [sys.executable, "-m", "asv"]
    subprocess.run([*asv, "machine", "--yes"], env=environment, cwd=folder, stdin=subprocess.DEVNULL, check=True)
    arguments = ["--quick", "--show-stderr", "--environment", f"existing:{sys.executable}", "--set-commit-hash", "HEAD"]
    done = subprocess.run(
        [*asv, "run", *arguments, "--bench", _sizes.select("smoke")],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    (folder / "asv.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    files = [path for path in (folder / "results").glob("*/*.json") if path.name != "machine.json"]
    assert len(files) == 1, done.stdout + done.stderr
    return done, json.loads(files[0].read_text(encoding="utf-8"))["results"]


@pytest.mark.timeout(1200)
def test_asv_ran_and_says_that_nothing_failed(finished):
    done, results = finished
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(results) == len(NAMES) > 500, done.stdout + done.stderr


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NAMES)
def test_asv_measured(name, finished):
    done, results = finished
    values = results[name][0]
    assert None not in values, done.stdout + done.stderr
    assert any(not math.isnan(value) for value in values), f"{name} was skipped, or its smallest size not selected"
