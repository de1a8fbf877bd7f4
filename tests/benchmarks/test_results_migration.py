"""Results of the suite as it was: rewritten, they make one series with today's, and nothing of them is lost."""

import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command_line
from benchmarks import _migration, _pins
from benchmarks._old_names import NewName, rename

COLUMNS = [
    "result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
    "stats_q_75", "stats_number", "stats_repeat", "samples", "profile",
]  # fmt: skip
MACHINE = {"machine": "box", "os": "Linux", "arch": "x86_64", "cpu": "Some name", "num_cpu": "2", "ram": "8"}
ROWS = ["'100k'", "'1M'"]
OLD = "0123456789abcdef" * 4
"""A version as asv makes it: a digest of the source."""
WHO = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture(scope="module")
def suite():
    return _migration.describe_suite()


def timed(values, axes, version=OLD):
    """A row with samples, as of a `time_`: asv's columns of statistics have a value for each combination."""
    samples = [None if value is None else [value, value * 1.1] for value in values]
    lows = [None if value is None else value * 0.9 for value in values]
    counts = [None if value is None else 1 for value in values]
    return [values, axes, version, 1000, 0.5, lows, values, values, values, counts, counts, samples]


def tracked(values, axes=(ROWS,), version=OLD):
    return [values, list(axes), version, 2000, 0.25]


def old_results(factor=1.0):
    return {
        "gather.Csv.time_run": timed([0.25 * factor, 2.0 * factor], [ROWS]),
        "gather.Csv.track_read_bytes": tracked([10, 20]),
        "gather.Csv.track_write_bytes": tracked([30, math.nan]),
        "gather.Csv.track_cpu_percent": tracked([50.0, 87.5]),
        "attack.SwapRand.time_run": timed([math.nan, 3.0 * factor], [ROWS]),
        "attack.SwapRand.track_tree_peak_bytes": tracked([None, 5e8]),
        "attack.Choose.time_run": timed([math.nan, 1.0], [ROWS]),
        "kernels.WithinRadius.time_kernel": timed([0.5], [["'1M'"]]),
        "kernels.KeptOf.time_kernel": timed([0.125], [["'1M'"]]),
        "kernels.Direct.time_kernel": timed([9.0], [["'1M'"]], version="of older code"),
        "curves.AttackByCores.time_run": timed([4.0, 2.0], [["'5M'"], ["1", "2"]]),
        "imports.track_first_use": tracked([12.5], ()),
        "somebody.s_own.time_it": timed([1.0], []),
    }


def write(folder, commit, results, *, pins=None, day=0):
    """Write a result file as asv does, with the pins as keys of its matrix."""
    pins = dict(_pins.pin_runtime()) if pins is None else pins
    name = "virtualenv-py3.11-" + "-".join(f"{key}{value}" for key, value in sorted(pins.items()))
    data = {
        "commit_hash": commit, "env_name": name, "date": 1_795_000_000_000 + day * 86_400_000,
        "params": {**MACHINE, "python": "3.11", **pins}, "python": "3.11", "requirements": pins, "env_vars": {},
        "result_columns": COLUMNS, "results": results, "durations": {"<build>": 3.0}, "version": 2,
    }  # fmt: skip
    path = folder / "box" / f"{commit[:8]}-env-{len(pins)}-{day}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    (path.parent / "machine.json").write_text(json.dumps({**MACHINE, "version": 1}))
    return path


def migrate(results):
    assert command_line.main(["migrate", str(results)]) == 0
    files = [path for path in sorted((results / "box").iterdir()) if path.name != "machine.json"]
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def columns(data, name):
    return dict(zip(COLUMNS, data["results"][name], strict=False))


def by_combination(row, column="result"):
    return dict(zip(itertools.product(*row["params"]), row[column], strict=True))


@pytest.fixture
def migrated(tmp_path):
    results = tmp_path / "results"
    write(results, "a" * 40, old_results())
    (results / "benchmarks.json").write_text(
        json.dumps({**{name: {"name": name, "version": OLD} for name in old_results()}, "version": 2})
    )
    (data,) = migrate(results)
    return data


def test_figures_become_a_parameter_of_their_unit(migrated, suite):
    row = columns(migrated, "gather.Csv.track_bytes")
    found = by_combination(row)
    assert found["'100k'", "'read_bytes'"] == 10
    assert found["'1M'", "'read_bytes'"] == 20
    assert found["'100k'", "'write_bytes'"] == 30
    assert math.isnan(found["'1M'", "'write_bytes'"])
    assert row["version"] == suite["gather.Csv.track_bytes"]["version"]
    assert (row["started_at"], row["duration"]) == (2000, 0.5)


def test_percentages_become_shares(migrated):
    shares = by_combination(columns(migrated, "gather.Csv.track_share"))
    assert shares == {("'100k'", "'cpu_share'"): 0.5, ("'1M'", "'cpu_share'"): 0.875}


def test_kinds_of_attacks_become_a_parameter_with_all_statistics(migrated):
    row = columns(migrated, "attack.Attack.time_run")
    found = by_combination(row)
    assert found["'1M'", "'swap_rand'"] == 3.0
    assert found["'1M'", "'choose'"] == 1.0
    assert math.isnan(found["'100k'", "'swap_rand'"])
    assert by_combination(row, "samples")["'1M'", "'swap_rand'"] == [3.0, pytest.approx(3.3)]
    assert by_combination(row, "stats_ci_99_a")["'1M'", "'swap_rand'"] == pytest.approx(2.7)
    peaks = by_combination(columns(migrated, "attack.Attack.track_bytes"))
    assert peaks == {
        ("'100k'", "'swap_rand'", "'tree_peak_bytes'"): None,
        ("'1M'", "'swap_rand'", "'tree_peak_bytes'"): 5e8,
    }


def test_kernels_curves_and_uses_become_parameters(migrated):
    kernels = by_combination(columns(migrated, "kernels.time_kernel"))
    assert kernels == {("'1M'", "'within_radius'"): 0.5, ("'1M'", "'kept'"): 0.125}, "older code is left out"
    curves = by_combination(columns(migrated, "curves.time_by_cores"))
    assert curves["'5M'", "2", "'attack/offset_rand'"] == 2.0
    assert by_combination(columns(migrated, "imports.track_use")) == {("'first'",): 12.5}


def test_what_is_not_ours_keeps_name_and_version(migrated):
    assert migrated["results"]["somebody.s_own.time_it"] == timed([1.0], [])
    assert migrated["durations"] == {"<build>": 3.0}


def test_environment_is_that_of_today_where_versions_are(migrated):
    digest = _pins.digest(_pins.pin_runtime())
    assert migrated["requirements"] == {}
    assert migrated["params"] == {**MACHINE, "python": "3.11"}
    assert migrated["env_vars"] == {_pins.MATRIX_KEY: digest}
    assert migrated["env_name"] == f"virtualenv-py3.11-{_pins.MATRIX_KEY}{digest}"


@pytest.mark.parametrize("known", [None, {"os": "Linux 5", "cpu": "The CPU as it was"}])
def test_the_machine_is_said_as_it_is_registered(tmp_path, monkeypatch, known):
    monkeypatch.setattr(_migration._machine, "find", lambda name: known and {"machine": name, **known})
    path = write(tmp_path / "results", "a" * 40, old_results())
    data = json.loads(path.read_text(encoding="utf-8"))
    data["params"] |= {"os": "Linux 6.1.0-amd64", "cpu": "Intel(R) Xeon(R) CPU @ 2.20GHz"}
    path.write_text(json.dumps(data))
    (migrated,) = migrate(tmp_path / "results")
    wanted = known or {"os": "Linux", "cpu": "Intel Xeon"}
    assert {key: migrated["params"][key] for key in wanted} == wanted
    assert migrated["params"].keys() == {*MACHINE, "python"}


@pytest.mark.parametrize(("pins", "is_today"), [({"numpy": None}, True), ({"numpy": "1.0"}, False)])
def test_other_versions_are_another_environment(tmp_path, pins, is_today):
    pins = {name: version or _pins.read_constraints()[name] for name, version in pins.items()}
    write(tmp_path / "results", "b" * 40, old_results(), pins=pins)
    (data,) = migrate(tmp_path / "results")
    assert (data["env_vars"][_pins.MATRIX_KEY] == _pins.digest(_pins.pin_runtime())) == is_today
    assert data["requirements"] == {}


def test_what_was_there_is_kept_and_a_second_call_changes_nothing(tmp_path, capsys):
    results = tmp_path / "results"
    path = write(results, "a" * 40, old_results())
    before = path.read_bytes()
    first = migrate(results)
    kept = tmp_path / "results-before-migration" / "box" / path.name
    assert kept.read_bytes() == before
    assert not path.exists()
    assert "1 of 1 files rewritten" in capsys.readouterr().out
    assert json.dumps(migrate(results)) == json.dumps(first)
    assert "0 of 1 files rewritten" in capsys.readouterr().out


def test_what_was_measured_in_the_new_form_already_stays(tmp_path):
    results = tmp_path / "results"
    path = write(results, "a" * 40, old_results())
    before = path.read_bytes()
    (data,) = migrate(results)
    name = _migration.name_file(data)
    data["results"] = {"gather.Csv.time_run": timed([0.5, 0.5], [ROWS], version="1")}
    (results / "box" / name).write_text(json.dumps(data))
    path.write_bytes(before)
    (joined,) = migrate(results)
    assert columns(joined, "gather.Csv.time_run")["result"] == [0.5, 0.5]
    assert by_combination(columns(joined, "kernels.time_kernel"))["'1M'", "'kept'"] == 0.125


def test_without_a_description_the_latest_measurement_says_which_code_was_the_last(tmp_path):
    results = tmp_path / "results"
    older = {name: [*row[:2], "older", 1, *row[4:]] for name, row in old_results().items()}
    write(results, "a" * 40, older)
    write(results, "b" * 40, old_results(), day=1)
    old, new = migrate(results)
    assert "gather.Csv.time_run" not in old["results"]
    assert "gather.Csv.time_run" in new["results"]


def test_a_file_that_is_not_asv_s_is_named(tmp_path, capsys):
    path = write(tmp_path / "results", "a" * 40, {})
    path.write_text(json.dumps({"version": 1}))
    assert command_line.main(["migrate", str(tmp_path / "results")]) == 1
    assert str(path) in capsys.readouterr().err


def test_each_name_is_one_of_todays_suite(suite):
    names = [
        "clean.Basic.track_tasks", "train.ThreeClassifiers.track_share_gc", "gather.Csv.track_queue_mean",
        "baseline.Features.time_pandas", "frames.Extended.time_frames", "curves.CleanByPartition.time_run",
        "kernels.RefineSeconds.time_kernel", "attack.OffsetConstPerId.peakmem_run", "imports.track_later_use",
    ]  # fmt: skip
    for name in names:
        new = rename(name)
        described = suite[new.name]
        for parameter, value in new.more.items():
            assert repr(value) in described["params"][described["param_names"].index(parameter)], name
    for name in suite:
        assert rename(name) == NewName(name), "today's names are today's"


def test_asv_draws_one_series_across_the_change(tmp_path):
    """Two commits of the old form, one of the new one, and asv's own site: one graph a benchmark, of three points."""
    environment = {**os.environ, **WHO, "HOME": str(tmp_path)}

    def call(*command):
        subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL
        )

    conf = {
        "version": 1, "project": "cdpipe", "repo": ".", "branches": ["HEAD"], "environment_type": "virtualenv",
        "results_dir": "results", "html_dir": "html", "benchmark_dir": "benchmarks",
    }  # fmt: skip
    (tmp_path / "asv.conf.json").write_text(json.dumps(conf))
    call("git", "init", "-q")
    commits = []
    for day in range(3):
        call("git", "commit", "-q", "--allow-empty", "-m", str(day))
        asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True, check=True)
        commits.append(asked.stdout.strip())
    for day, commit in enumerate(commits):
        write(tmp_path / "results", commit, old_results(1.0 + day), day=day)
    migrate(tmp_path / "results")
    newest = next((tmp_path / "results" / "box").glob(f"{commits[2][:8]}-*.json"))
    today = json.loads(newest.read_text(encoding="utf-8"))
    today["results"] = {"attack.Attack.time_run": timed([5.0], [["'1M'"], ["'swap_rand'"]], version="1")}
    newest.write_text(json.dumps(today))
    call(sys.executable, "-m", "asv", "publish", "--no-pull")
    site = tmp_path / "html"
    (graph,) = (path for path in site.rglob("attack.Attack.time_run.json") if "summary" not in path.parts)
    series = json.loads(graph.read_text(encoding="utf-8"))
    assert len(series) == 3
    labels = json.loads((site / "index.json").read_text(encoding="utf-8"))
    assert labels["params"].keys() == {*MACHINE, "python", "branch", f"env-{_pins.MATRIX_KEY}"}
    assert max(len(str(path.relative_to(site))) for path in Path(site).rglob("*")) <= 200
