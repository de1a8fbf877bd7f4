"""A run's profile: its parts by name, shares that sum to 1, whole files; and what is left of a run that fails."""

import json
import re
import sys
from functools import partial
from pathlib import Path

import pytest

from cdpipe.engine.metering import join_figures
from cdpipe.engine.probe import ProbeResult
from cdpipe.engine.runner import ORDER
from cdpipe.engine.sources import SourceError
from cdpipe.profiling import DASK_REPORT, PROFILES, WHOLE, flatten_figures, profile
from cdpipe.synth import SynthParams, synthesize

sys.path.append(str(Path(__file__).parent / "engine"))
from clusters import start_scheduler, start_workers

PASSES = ["gather → clean", "attack → features"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("profiled") / "m.csv"
    synthesize(path, SynthParams(rows=20_000, vehicles=50))
    return path


@pytest.fixture
def configure(source, configure_run):
    return partial(configure_run, source, block_mb=1.0)


def check_files(made, out):
    """Files are whole and hold the same; nothing is left beside them."""
    assert not [path.name for path in out.iterdir() if path.name.startswith(".")]
    for format_, name in PROFILES.items():
        assert (out / name).read_text() == made.render(format_)
    written = json.loads((out / PROFILES["json"]).read_text())
    assert written["run"]["parts"] == {name: dict(each) for name, each in made.figures.items()}
    (subject,) = written["subjects"]
    assert len(subject["cells"]) == (len(made.figures) + 1 if made.figures else 0)
    return written


def check_shares(made):
    for figures in (*made.figures.values(), join_figures(list(made.figures.values()))):
        assert sum(figures["shares"].values()) == pytest.approx(1, abs=1e-6)
        assert min(figures["shares"].values()) >= 0


def check_dask_report(made, out):
    page = (out / DASK_REPORT).read_text()
    assert page.rstrip().endswith("</html>")
    assert "bokeh" in page.lower()
    assert out / DASK_REPORT in made.files.values()
    assert not re.search(r'<script[^>]+src="http|<link[^>]+stylesheet', page)  # it opens without a network


def test_on_threads_every_part_is_named_and_measured(configure, tmp_path):
    out = tmp_path / "out"
    made = profile(configure())
    assert list(made.figures) == [*PASSES, "publish", "train"]
    check_shares(made)
    check_files(made, out)
    check_dask_report(made, out)
    text = (out / PROFILES["text"]).read_text()
    for name in (WHOLE, *made.figures, "Top bottlenecks", "About this run", str(out / DASK_REPORT)):
        assert name in text
    assert "commit" not in text
    assert max(len(line) for line in text.split("About this run")[0].splitlines()) <= 100
    assert (made.failure, made.broke, made.cached) == (None, None, ())
    assert (out / "report.json").exists()
    assert 0 <= made.between_s < made.wall_s
    used = json.loads((out / "report.json").read_text())["used"]
    assert used == join_figures(list(made.figures.values()))
    assert used["wall_seconds"] == pytest.approx(made.wall_s - made.between_s)


def test_parts_that_the_cache_had_are_said_to_be_from_there(configure, tmp_path):
    profile(configure())
    made = profile(configure())
    assert list(made.figures) == ["publish", "train"]
    assert made.cached == ORDER
    text = (tmp_path / "out" / PROFILES["text"]).read_text()
    assert "from the cache, so not run: gather, clean, attack, features" in text
    # Nothing ran through Dask, and the report of the run before is not passed off as this one's.
    assert not (tmp_path / "out" / DASK_REPORT).exists()
    assert "no task ran through Dask" in text
    check_files(made, tmp_path / "out")


def test_a_survey_and_what_follows_a_cached_stage_are_parts(configure):
    tables = {"cache": {"directory": str(configure().cache.directory), "stages": ["gather", "clean", "features"]}}
    profile(configure(**tables))
    made = profile(configure(**tables, seed=7))
    assert list(made.figures) == ["survey for attack", "attack → features", "publish", "train"]
    assert made.cached == ("gather", "clean")


def test_a_run_that_fails_keeps_its_error_and_the_parts_that_ran(configure, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("no space left on the test's device")

    monkeypatch.setattr("cdpipe.pipeline.publish_dataset", fail)
    made = profile(configure())
    assert isinstance(made.failure, OSError)
    assert list(made.figures) == PASSES
    assert made.broke == "publish"
    check_shares(made)
    text = (tmp_path / "out" / PROFILES["text"]).read_text()
    assert "publish: failed, so it has no figures" in text
    assert "the run failed: no space left on the test's device" in text
    written = check_files(made, tmp_path / "out")
    assert written["run"]["failed"] == "no space left on the test's device"
    check_dask_report(made, tmp_path / "out")


def test_a_run_that_fails_in_its_first_part_has_no_figures_and_says_so(configure, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise MemoryError("too little for the test")

    monkeypatch.setattr("cdpipe.engine.runner.lay_chain", fail)
    made = profile(configure())
    assert (made.figures, made.broke, str(made.failure)) == ({}, PASSES[0], "too little for the test")
    check_files(made, tmp_path / "out")
    assert made.cached == ()


def test_a_run_that_cannot_begin_raises_and_leaves_an_earlier_profile_alone(configure, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / PROFILES["md"]).write_text("earlier")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(SourceError):
        profile(configure(input={"paths": [str(tmp_path / "empty.csv")]}))
    assert [path.name for path in out.iterdir()] == [PROFILES["md"]]


def test_on_a_local_cluster(configure, tmp_path):
    made = profile(configure(session={"scheduler": "local", "workers": 2, "threads_per_worker": 1, "dashboard": False}))
    assert list(made.figures) == [*PASSES, "publish", "train"]
    assert made.place.startswith("2 threads of 2 workers of a cluster on this machine;")
    check_shares(made)
    check_files(made, tmp_path / "out")
    check_dask_report(made, tmp_path / "out")


def test_on_a_scheduler_that_runs_already(configure, tmp_path):
    with start_scheduler(tmp_path) as address, start_workers(tmp_path, address):
        made = profile(configure(session={"scheduler": address}))
    assert made.place.startswith(f"2 threads of 2 workers of the scheduler {address};")
    assert list(made.figures) == [*PASSES, "publish", "train"]
    check_shares(made)
    check_files(made, tmp_path / "out")
    check_dask_report(made, tmp_path / "out")


PROBED = {
    **dict.fromkeys(ProbeResult().as_dict(), 1),
    "disk_busy_source": "pressure",
    "shares": {"compute": 0.25, "idle": 0.75},
    "task_seconds": {"min": 1.0, "p50": 2.0, "p95": 3.0, "max": 4.0, "mean": 2.0},
}


def test_figures_of_parts_are_summed_the_highest_or_weighed_by_time():
    long = {**PROBED, "wall_seconds": 3, "tree_peak_bytes": 9, "tasks": 3, "shares": {"compute": 1.0, "idle": 0.0}}
    long |= {"task_seconds": {"min": 0.5, "p50": 1.0, "p95": 1.0, "max": 1.0, "mean": 1.0}, "queue_mean": 5}
    joined = join_figures([PROBED, long])
    assert (joined["wall_seconds"], joined["tree_peak_bytes"], joined["tasks"]) == (4, 9, 4)
    assert joined["shares"] == {"compute": pytest.approx(0.8125), "idle": pytest.approx(0.1875)}
    assert joined["queue_mean"] == 4
    assert joined["task_seconds"] == {"min": 0.5, "max": 4.0, "mean": 1.25}


@pytest.mark.parametrize("name", ["cpu_seconds", "tree_peak_bytes", "queue_mean", "shares", "task_seconds"])
def test_what_one_part_lacks_the_whole_lacks(name):
    assert join_figures([PROBED, {**PROBED, name: None}])[name] is None


def test_figures_are_given_the_names_of_the_report():
    flat = flatten_figures(PROBED)
    assert flat["share_compute"] == 0.25
    assert flat["task_seconds_p50"] == 2.0
    assert "disk_busy_source" not in flat
