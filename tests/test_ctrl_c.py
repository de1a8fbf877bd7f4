"""Ctrl-C typed in a terminal of 80 by 24: status 130, a sentence, earlier results as they were, and nothing left."""

import hashlib
import json
import os
import re
import sys
import time
from pathlib import Path

import psutil
import pytest
from terminals import CTRL_C, Terminal

import cdpipe
from cdpipe.interrupts import STATUS
from cdpipe.synthetic.generator import synthesize

pytestmark = pytest.mark.slow

MOMENTS = [(2 * each + 1) / 20 for each in range(10)]
MARK = "CDPIPE_CTRL_C"
CONFIG = """
seed = {seed}
[input]
paths = ["bsm.csv"]
[gather]
block_mb = 1
[train]
classifiers = ["DecisionTree", "RandomForest"]
trees = 40
[cache]
directory = "cache"
[session]
{session}
[output]
directory = "out"
"""


class Study:
    """A folder with results of an earlier run, and a run of another seed to interrupt."""

    def __init__(self, folder, scheduler):
        self.folder, self.scheduler, self.seed = folder, scheduler, 0
        (folder / "temporary").mkdir()
        synthesize(folder / "bsm.csv", rows=20_000, vehicles=100)
        self.environment = os.environ | {
            MARK: folder.name,
            "TMPDIR": str(folder / "temporary"),
            "PYTHONPATH": str(Path(cdpipe.__file__).parents[1]),
        }
        self.change()
        self.run()  # compiles, and gathers
        began = time.monotonic()
        self.change()
        self.run()
        self.whole_s = time.monotonic() - began

    def change(self):
        """Have the next run be another one."""
        self.seed += 1
        session = 'scheduler = "local"\nworkers = 2' if self.scheduler == "local" else ""
        (self.folder / "study.toml").write_text(CONFIG.format(seed=self.seed, session=session))

    def start(self):
        command = [sys.executable, "-m", "cdpipe", "run", "study.toml"]
        return Terminal(command, cwd=self.folder, env=self.environment)

    def run(self):
        """Run to the end."""
        with self.start() as terminal:
            assert terminal.wait() == 0, terminal.text
        assert self.has_new_results()

    def results(self):
        """A digest of every file of the output folder, by name."""
        files = sorted(path for path in (self.folder / "out").rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def has_new_results(self):
        return json.loads((self.folder / "out/report.json").read_text())["config"]["seed"] == self.seed

    def left(self):
        """Processes of this study, and temporary and scratch files that no run needs any more."""
        found = [f"process {each.pid}" for each in psutil.process_iter() if self._is_ours(each)]
        found += [str(path) for path in (self.folder / "temporary").iterdir()]
        return found + [str(path) for path in self.folder.rglob("*.scratch*")]

    def _is_ours(self, process):
        try:
            return process.environ().get(MARK) == self.folder.name and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@pytest.fixture(scope="module")
def on_threads(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("on-threads"), "threads")


@pytest.fixture(scope="module")
def on_a_cluster(tmp_path_factory):
    return Study(tmp_path_factory.mktemp("on-a-cluster"), "local")


def interrupt(study, part):
    """Type Ctrl-C at a share of the time that a run took, or earlier if this one has ended by then."""
    while True:
        study.change()
        before = study.results()
        with study.start() as terminal:
            time.sleep(study.whole_s * part)
            terminal.type(CTRL_C)
            status = terminal.wait()
        if status != 0:
            return status, terminal.text, before
        assert study.has_new_results()  # it had ended, and well
        part *= 0.8


@pytest.mark.parametrize("part", MOMENTS)
def test_it_ends_a_run_and_changes_nothing(on_threads, part):
    check(on_threads, part)


@pytest.mark.parametrize("part", MOMENTS[1::3])
def test_it_ends_a_run_on_a_cluster_too(on_a_cluster, part):
    check(on_a_cluster, part)


def check(study, part):
    status, text, before = interrupt(study, part)
    assert status == STATUS, text
    assert "Traceback" not in text
    plain = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).split())
    _, said = plain.rsplit("cdpipe: interrupted; ", 1)
    assert re.fullmatch(r"nothing unfinished was published; [^.]*same command [a-z ]+", said)
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h"), "the cursor is left hidden"
    assert study.results() == before or study.has_new_results()
    study.run()
    assert study.left() == []
