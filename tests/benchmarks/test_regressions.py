"""Regressions over commits on asv's site agree with planted steps: all of them, where they are, and no others."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import __main__ as command_line
from benchmarks import _migration, _pins, _regressions

COMMITS = 40
SPREAD = 0.03
WHO = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
PLANTED = {
    ("clean.Spatial.time_run", "'1M'"): [(20, 1.3)],
    ("gather.Csv.time_run", "'1M'"): [(10, 1.15), (30, 1.2)],
    ("features.Extended.time_run", "'1M'"): [(37, 1.5)],
    ("attack.Attack.track_bytes", "'1M', 'swap_rand', 'tree_peak_bytes'"): [(25, 1.4)],
}
"""Steps upwards, (commit, factor) each."""
QUIET = [
    ("train.ThreeClassifiers.time_run", "'10k'", []),
    ("clean.Basic.time_run", "'1M'", [(15, 0.7)]),  # better is no regression
    ("gather.Csv.time_run", "'100k'", [(18, 1.5), (28, 1 / 1.5)]),  # taken back
    ("gather.Csv.track_share", "'1M', 'share_compute'", [(20, 3.0)]),  # more of a share is none
    ("baseline.time_pandas", "'1M', 'features'", [(20, 2.0)]),  # nor is a slower pandas ours
]
COLUMNS = ["result", "params", "version", "started_at", "duration"]


def draw_series(steps, generator):
    levels = np.ones(COMMITS)
    for commit, factor in steps:
        levels[commit:] *= factor
    return levels * np.exp(SPREAD * generator.standard_normal(COMMITS))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of asv's own making, of a history with planted steps."""
    folder = tmp_path_factory.mktemp("history")
    environment = {**os.environ, **WHO, "HOME": str(folder), "PYTHONPATH": str(_pins.HERE)}

    def call(*command):
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, stdin=-3, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()

    conf = json.loads((_pins.HERE / "asv.conf.json").read_text(encoding="utf-8"))
    conf |= {"repo": ".", "results_dir": "results", "html_dir": "html"}
    (folder / "asv.conf.json").write_text(json.dumps(conf))
    call("git", "init", "-q")
    for commit in range(COMMITS):
        call("git", "commit", "-q", "--allow-empty", "-m", str(commit), "--date", f"2026-01-01T00:{commit:02d}:00Z")
    commits = call("git", "rev-list", "--reverse", "HEAD")
    suite = _migration.describe_suite()
    write_results(folder / "results", commits, suite)
    call(sys.executable, "-m", "asv", "publish", "--no-pull")
    return folder / "html", commits


def write_results(results, commits, suite):
    generator = np.random.default_rng(16)
    cases = [(*key, steps) for key, steps in PLANTED.items()] + QUIET
    series = [(name, combination, draw_series(steps, generator)) for name, combination, steps in cases]
    machine = {"machine": "box", "os": "Linux", "arch": "x86_64", "cpu": "A CPU", "num_cpu": "2", "ram": "8"}
    (results / "box").mkdir(parents=True)
    (results / "box" / "machine.json").write_text(json.dumps({**machine, "version": 1}))
    (results / "benchmarks.json").write_text(json.dumps({**suite, "version": 2}))
    for place, commit in enumerate(commits):
        rows = {}
        for name, combination, values in series:
            params = suite[name]["params"]
            row = rows.setdefault(name, [[math.nan] * math.prod(map(len, params)), params, "1", 1000, 0.5])
            row[0][find_place(params, combination)] = values[place]
        data = {
            "commit_hash": commit, "env_name": "virtualenv-py3.11", "date": 1_767_225_600_000 + 60_000 * place,
            "params": {**machine, "python": "3.11"}, "python": "3.11", "requirements": {}, "env_vars": {},
            "result_columns": COLUMNS, "results": rows, "durations": {}, "version": 2,
        }  # fmt: skip
        (results / "box" / f"{commit[:8]}-virtualenv-py3.11.json").write_text(json.dumps(data))


def find_place(params, combination):
    place = 0
    for axis, value in zip(params, combination.split(", "), strict=True):
        place = place * len(axis) + axis.index(value)
    return place


def test_the_site_has_the_planted_steps_and_no_others(site):
    html, commits = site
    found = {}
    for each in _regressions.read_regressions(html):
        found.setdefault(each.name, []).append((commits.index(each.commit), each.after / each.before))
    assert found.keys() == {f"{name}({combination})" for name, combination in PLANTED}
    for (name, combination), steps in PLANTED.items():
        seen = sorted(found[f"{name}({combination})"])
        assert [commit for commit, _ in seen] == [commit for commit, _ in steps], name
        for (_, factor), (_, planted) in zip(seen, steps, strict=True):
            assert factor == pytest.approx(planted, rel=0.05), name


def test_what_is_new_fails_and_comes_first(site, capsys):
    html, commits = site
    assert command_line.main(["regressions", str(html)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| features.Extended.time_run('1M') | " + commits[37][:8])
    assert lines[2].endswith("| new |")
    assert len(lines) == 2 + sum(map(len, PLANTED.values()))
    assert not any(line.endswith("| new |") for line in lines[3:])


def test_a_site_without_regressions_says_so(tmp_path, capsys):
    (tmp_path / "regressions.json").write_text('{"regressions": []}')
    (tmp_path / "index.json").write_text('{"revision_to_hash": {}}')
    assert command_line.main(["regressions", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "No regression in history.\n"


def test_a_folder_without_a_site_is_named(tmp_path, capsys):
    assert command_line.main(["regressions", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err
