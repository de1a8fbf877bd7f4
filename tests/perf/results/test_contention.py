"""Notes beside timed samples: which results they are of, and what a disturbed time then no longer says."""

import json

import pytest

from benchmarks import _contention
from cdpipe.perf.page.page import render_page
from cdpipe.perf.report.bottlenecks import rank_findings
from cdpipe.perf.report.render import build_report, render_json, render_markdown
from cdpipe.perf.results.contention import ContentionNotes
from cdpipe.perf.results.model import Header
from cdpipe.perf.settings.targets import Outcome

from ..results_writing import COMMIT, DATE_MS, OWN, Suite, attributed_suite

NAME = "a.time_b"
STARTED_S = DATE_MS / 1000
_ENVIRONMENT = "py3.11"


def use(others=0.0, *, seconds=0.5, wait=0.0):
    return {"seconds": seconds, "cpu_seconds": seconds, "wait_seconds": wait, "others_share": others, "tries": 1}


def write_note(results, uses, *, benchmark=NAME, params=("'1M'",), machine="box", ended=STARTED_S + 60, commit=COMMIT):
    """Write a line as a suite's benchmark types do."""
    path = results / "contention" / f"{commit[:8]}-{_ENVIRONMENT}.jsonl"
    path.parent.mkdir(exist_ok=True, parents=True)
    note = {"benchmark": benchmark, "params": list(params), "round": 1, "machine": machine, "ended": ended}
    with path.open("a") as file:
        file.write(json.dumps(note | {"samples": list(uses)}) + "\n")
    return path


def open_notes(path, *, machines=("box", "slow")):
    return ContentionNotes(path, Header(path / "box" / "x.json", "box", COMMIT, DATE_MS, _ENVIRONMENT), machines)


def test_the_middle_of_the_samples_counts(tmp_path):
    write_note(tmp_path, [use(0.9), use(0.2), use(0.05)])
    assert open_notes(tmp_path).find_others(NAME, ("'1M'",)) == 0.2


def test_short_samples_are_judged_by_what_they_waited(tmp_path):
    write_note(tmp_path, [use(0.9, seconds=0.01, wait=0.001), use(0.9, seconds=0.01, wait=0.002), use(seconds=0.01)])
    # A twentieth of a short sample waited is as much as a tenth of the processors: a tenth is two of these.
    assert open_notes(tmp_path).find_others(NAME, ("'1M'",)) == pytest.approx(0.2)


def test_as_many_processes_count_as_the_result_has_samples_of(tmp_path):
    for others in (0.9, 0.8, 0.4, 0.2):
        write_note(tmp_path, [use(others), use(others)])
    notes = open_notes(tmp_path)
    assert notes.find_others(NAME, ("'1M'",)) == 0.2
    assert notes.find_others(NAME, ("'1M'",), samples=4) == pytest.approx(0.3)
    assert notes.find_others(NAME, ("'1M'",), samples=6) == pytest.approx(0.4)
    assert notes.find_others(NAME, ("'1M'",), samples=100) == pytest.approx(0.6)


def test_notes_of_an_earlier_result_count_for_none(tmp_path):
    write_note(tmp_path, [use(0.9)], ended=STARTED_S - 1)
    notes = open_notes(tmp_path)
    assert notes.find_others(NAME, ("'1M'",), started_ms=DATE_MS) is None
    assert notes.find_others(NAME, ("'1M'",), started_ms=DATE_MS - 5000) == 0.9


def test_notes_of_other_machines_benchmarks_and_sizes_count_for_none(tmp_path):
    write_note(tmp_path, [use(0.9)], machine="slow")
    write_note(tmp_path, [use(0.8)], benchmark="a.time_c")
    write_note(tmp_path, [use(0.7)], params=("'5M'",))
    assert open_notes(tmp_path).find_others(NAME, ("'1M'",)) is None
    # asv may know a machine by another name than the machine has itself.
    assert open_notes(tmp_path, machines=("box",)).find_others(NAME, ("'1M'",)) == 0.9


def test_what_is_no_note_is_passed_over(tmp_path):
    assert open_notes(tmp_path).find_others(NAME, ("'1M'",)) is None
    path = write_note(tmp_path, [use(0.3)])
    with path.open("ab") as file:
        file.write(b'[1]\n{"samples": 3}\n\xff\xfe\n{"benchmark": "a.time_b", "params": 1, "samples": []}\n{"benchm')
    assert open_notes(tmp_path).find_others(NAME, ("'1M'",)) == 0.3
    with path.open("a") as file:
        file.write("\n")
    write_note(tmp_path, [{"seconds": 1.0}])
    assert open_notes(tmp_path).find_others(NAME, ("'1M'",)) is None


def test_what_the_suite_writes_is_read(tmp_path, monkeypatch):
    (tmp_path / "asv.conf.json").write_text('{"results_dir": "results"}')
    for name, value in (("COMMIT", COMMIT), ("ENV_NAME", _ENVIRONMENT), ("CONF_DIR", str(tmp_path))):
        monkeypatch.setenv(f"ASV_{name}", value)
    _contention.keep(NAME, ("1M",), [_contention.Use(1.0, 0.9, 0.0, 0.25)], [3])
    assert open_notes(tmp_path / "results").find_others(NAME, ("'1M'",), samples=1, started_ms=1.0) == 0.25


@pytest.fixture
def reported(writer):
    """A suite whose gather would head the list; its time at 10M is disturbed by `others`, and so much is said of it."""

    def report(others):
        suite = attributed_suite(gather_disk=0.75)
        suite.write(writer)
        name = next(name for name, entry in suite_entries(suite) if (entry["cdpipe_stage"], figure_of(entry)) == GATHER)
        for size in suite.entries[0]["params"][0]:
            write_note(writer.path, [use(others if size == "'10M'" else 0.0)] * 3, benchmark=name, params=[size])
        return build_report(writer.path, settings=OWN)

    return report


GATHER = ("gather", "seconds")


def suite_entries(suite):
    return [(entry["name"], entry) for entry in suite.entries]


def figure_of(entry):
    return entry["cdpipe_figure"]


def test_a_disturbed_time_is_marked_and_ranks_nothing(reported):
    calm, busy = reported(0.05), reported(0.5)
    (of_calm,), (of_busy,) = calm.subjects, busy.subjects
    ranked = {finding.cell.title: finding.cell.rows_text for finding in rank_findings(of_calm)}
    assert ranked["gather"] == "10M"
    assert {f.cell.title: f.cell.rows_text for f in rank_findings(of_busy)} == ranked | {"gather": "5M"}
    marked = [finding.cell.place for finding in of_busy.findings if finding.is_beside_work]
    assert marked == ["gather at 10M"]
    assert not any(finding.is_beside_work for finding in of_calm.findings)
    text = render_markdown(busy).replace("\\", "")
    assert "The machine was busy: 1 of 4 times were taken while others worked, and rank nothing." in text
    assert "over 10 % of the time of most samples: measure again" in text
    assert "The machine was busy" not in render_markdown(calm)
    assert render_page(busy, project="x").count("<small>~") == 1
    cells = json.loads(render_json(busy))["subjects"][0]["cells"]
    (told,) = [cell for cell in cells if cell["time_disturbed"]]
    assert (told["stage"], told["rows_text"], told["figures"]["seconds"]["others"]) == ("gather", "10M", 0.5)


def test_a_disturbed_time_makes_no_law_of_growth(reported):
    (of_calm,), (of_busy,) = reported(0.05).subjects, reported(0.5).subjects

    def sizes(subject):
        (law,) = [law for law in subject.scalings if (law.title, law.figure) == GATHER]
        return [rows for rows, _ in law.points]

    assert sizes(of_calm) == [100_000, 1_000_000, 5_000_000, 10_000_000]
    assert sizes(of_busy) == [100_000, 1_000_000, 5_000_000]


def test_a_target_missed_by_a_disturbed_time_is_to_be_measured_again(writer):
    suite = Suite()
    name = suite.add("clean/spatial", "seconds", (9.0,), sizes=("10M",))
    suite.write(writer)
    target = OWN.targets[0]

    def outcome():
        (subject,) = build_report(writer.path, settings=OWN).subjects
        return next(check.outcome for check in subject.checks if check.target == target)

    assert outcome() is Outcome.MISSED
    write_note(writer.path, [use(0.3)], benchmark=name, params=("'10M'",))
    assert outcome() is Outcome.DISTURBED


def test_disturbed_commits_count_for_no_trend(writer):
    suite = Suite()
    name = suite.add("clean", "seconds", (1.0,), sizes=("1M",))
    slow = Suite()
    slow.add("clean", "seconds", (9.0,), sizes=("1M",))
    for number in range(6):
        commit = f"{number + 1:08x}{0:032x}"
        (slow if number == 3 else suite).write(writer, commit=commit, date=DATE_MS + number)
        write_note(writer.path, [use(0.4 if number == 3 else 0.0)], benchmark=name, commit=commit)
    (subject,) = build_report(writer.path).subjects
    (trend,) = subject.history.trends
    assert (trend.count, trend.factor) == (5, pytest.approx(1.0))
