"""A run's profile: its parts by name, shares that sum to 1, whole files; and what is left of a run that fails."""

import io
import itertools
import json
import re
from functools import partial

import pytest
from clusters import start_scheduler, start_workers
from observing import observing
from rich.console import Console

import cdpipe.probe.probe
from cdpipe.engine.files.seals import FILES, SEAL, find_own
from cdpipe.engine.files.sources import SourceError
from cdpipe.engine.run.meters import join_figures
from cdpipe.engine.run.runner import ORDER
from cdpipe.perf.analysis.run import WHOLE
from cdpipe.probe.probe import ProbeResult
from cdpipe.profiling import DASK_REPORT, PROFILES, flatten_figures, profile
from cdpipe.synthetic.generator import SynthParams, synthesize

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
    for format_ in ("text", "md"):
        assert (out / PROFILES[format_]).read_text() == made.render(format_)
    written = json.loads((out / PROFILES["json"]).read_text())
    assert {name: said for name, said in written.items() if name not in (FILES, SEAL)} == json.loads(
        made.render("json")
    )
    assert find_own(out / PROFILES["json"]) == {path.name for path in made.files.values()}
    assert written["run"]["parts"] == {name: dict(each) for name, each in made.figures.items()}
    (subject,) = written["subjects"]
    assert [cell["stage"] for cell in subject["cells"]] == list(made.figures)
    assert (subject["whole"] is not None) == bool(made.figures)
    check_tables(written, *((out / PROFILES[format_]).read_text() for format_ in ("text", "md")))
    return written


def read_table(page, first, *, edge):
    """The cells of the table whose first title is `first`, by the name at the beginning of each row."""
    lines = [line for line in page.splitlines() if not line.startswith("  ")]  # nor what a long cell goes on with
    rows = [[cell.strip() for cell in re.split(edge, line.strip(" |"))] for line in lines]
    start = next((place for place, row in enumerate(rows) if row[0] == first), None)
    if start is None:
        return {}
    return {row[0]: row[1:] for row in itertools.takewhile(lambda row: row[0], rows[start + 2 :])}


def check_tables(written, text, markdown):
    """All three formats have the same parts and stages with the same rows, and no dash but for what was not run."""
    cells = {cell["stage"]: cell for cell in written["subjects"][0]["cells"]}
    stages = written["run"]["stages"]
    for page, edge in ((text, "  +"), (markdown, r" \| ")):
        parts = read_table(page, "Part", edge=edge)
        assert list(parts) == list(cells)
        assert {name: row[0] for name, row in parts.items()} == {name: f"{c['rows']:,}" for name, c in cells.items()}
        assert all("-" not in row for row in parts.values())
        shown = read_table(page, "Stage", edge=edge)
        assert {name: row[:2] for name, row in shown.items()} == {
            name: [f"{each['rows_in']:,}", f"{each['rows_out']:,}"] for name, each in stages.items()
        }
        assert {name for name, row in shown.items() if row[2:] == ["-", "-"]} == set(stages) & set(
            written["run"]["from_cache"]
        )
        for line in (*written["summary"], *written["run"]["notes"]):
            words = re.sub(r"[\\\s]+", "", line)
            assert words in re.sub(r"[\\\s]+", "", page), line
        assert f"{WHOLE}, " not in page, "the whole run has no rank"
        assert f": {WHOLE}" not in page, "nor remedies of its own"


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
    for name in (
        f"{WHOLE.capitalize()} on",
        *made.figures,
        "Top bottlenecks",
        "About this run",
        str(out / DASK_REPORT),
    ):
        assert name in text
    assert "commit" not in text
    assert text == "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    assert max(len(line) for line in text.split("About this run")[0].splitlines()) <= 100
    assert (made.failure, made.broke, made.cached) == (None, None, ())
    accounts = {each["stage"]: each for each in json.loads((out / "report.json").read_text())["ledgers"]}
    assert {name: ledger.as_dict() for name, ledger in made.ledgers.items()} == accounts
    assert list(made.ledgers) == [*ORDER]
    assert [cell.rows for cell in made.report.subjects[0].cells] == [20_000, *[accounts["clean"]["rows_out"]] * 3]
    assert made.report.subjects[0].whole.rows == 20_000
    assert made.thread_seconds.keys() == {*ORDER}
    assert min(made.thread_seconds.values()) > 0
    slot_seconds = sum(each["wall_seconds"] * each["cores"] for each in made.figures.values())
    assert sum(made.thread_seconds.values()) <= slot_seconds  # none is counted twice
    assert 0 <= made.between_s < made.wall_s
    used = json.loads((out / "report.json").read_text())["used"]
    assert used == join_figures(list(made.figures.values()))
    assert used["wall_seconds"] == pytest.approx(made.wall_s - made.between_s)


@pytest.mark.parametrize("unmeasured", [{"gather → clean"}, {*PASSES, "publish", "train"}])
def test_a_part_that_could_not_be_measured_is_named_and_the_others_are_there(
    configure, tmp_path, monkeypatch, unmeasured
):
    begun, said = [], []

    def why():
        begun.append(True)
        label = [*PASSES, "publish", "train"][len(begun) - 1]
        return "the sampling process was killed" if label in unmeasured else None

    monkeypatch.setattr(cdpipe.probe.probe, "why_unmeasurable", why)
    made = profile(configure(), observer=observing(said=said))
    assert list(made.figures) == [name for name in (*PASSES, "publish", "train") if name not in unmeasured]
    assert made.unmeasured == dict.fromkeys(made.unmeasured, "the sampling process was killed")
    assert set(made.unmeasured) == unmeasured
    assert (made.failure, made.broke) == (None, None)
    assert 0 <= made.between_s < made.wall_s
    assert list(made.ledgers) == [*ORDER]
    assert made.report.subjects[0].whole is None, "of a part nobody knows what it used"
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["used"] is None
    sentence = "what the run used could not be measured: gather → clean: the sampling process was killed"
    assert [each for each in said if "could not be measured" in each] == [sentence]
    for format_ in PROFILES:
        page = re.sub(r"[\\\s]+", "", made.render(format_))
        for name in unmeasured:
            note = f"{name}: could not be measured, so it has no figures: the sampling process was killed"
            expected = json.dumps(note)[1:-1] if format_ == "json" else note
            assert re.sub(r"[\\\s]+", "", expected) in page


@pytest.mark.parametrize("width", [80, *(pytest.param(each, marks=pytest.mark.slow) for each in (100, 140))])
def test_a_terminal_breaks_no_number_and_no_line_is_too_long(configure, width):
    made = profile(configure())
    stream = io.StringIO()
    made.print(Console(file=stream, width=width, color_system=None))
    text = stream.getvalue()
    assert max(len(line) for line in text.split("this report, text")[0].splitlines()) <= width
    for cell in made.report.subjects[0].cells:
        assert re.search(rf"(?<!\d){cell.rows:,}(?!\d)", text)
    for part in made.figures:
        row = next(line for line in text.splitlines() if line.startswith(f"{part} "))
        assert re.search(r"( ~?[\d.]+ (s|ms|us)|: no figure) *$", row), row


def test_parts_that_the_cache_had_are_said_to_be_from_there(configure, tmp_path):
    profile(configure())
    made = profile(configure())
    assert list(made.figures) == ["publish", "train"]
    assert made.cached == ORDER
    assert list(made.ledgers) == [*ORDER]
    assert made.thread_seconds == {}
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
    assert made.thread_seconds.keys() == {"attack", "features"}
    kept = made.ledgers["clean"].rows_out
    assert [cell.rows for cell in made.report.subjects[0].cells] == [kept] * 4


def test_a_run_that_fails_keeps_its_error_and_the_parts_that_ran(configure, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("no space left on the test's device")

    monkeypatch.setattr("cdpipe.engine.outputs.output_folder.Results.add_dataset", fail)
    made = profile(configure())
    assert isinstance(made.failure, OSError)
    assert list(made.figures) == PASSES
    assert made.broke == "publish"
    assert (made.ledgers["gather"].rows_in, list(made.ledgers)) == (20_000, [*ORDER])
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

    monkeypatch.setattr("cdpipe.engine.run.runner.lay_chain", fail)
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


@pytest.mark.slow
def test_on_a_local_cluster(configure, tmp_path):
    made = profile(configure(session={"scheduler": "local", "workers": 2, "threads_per_worker": 1, "dashboard": False}))
    assert list(made.figures) == [*PASSES, "publish", "train"]
    assert made.place.startswith("2 threads of 2 workers of a cluster on this machine;")
    check_shares(made)
    check_files(made, tmp_path / "out")
    check_dask_report(made, tmp_path / "out")


@pytest.mark.slow
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
