"""Classes and times over commits: the same classes as the report's, and neither a change nor a trend that is none."""

import math

import numpy as np
import pytest

from cdpipe.perf.analysis.findings import Rules, build_report
from cdpipe.perf.analysis.history import NOT_MEASURED, CommitPoint, choose_history, find_changes, find_trends
from cdpipe.perf.analysis.thresholds import BOUNDS, RULES, Bound, Thresholds, classify, classify_many
from cdpipe.perf.report.outcomes import draw_sparkline
from cdpipe.perf.report.render import render_markdown
from cdpipe.perf.results import figure_reader as history_files
from cdpipe.perf.results.cells import Cell
from cdpipe.perf.results.directory import choose_headers, open_results
from cdpipe.perf.results.files import read_object

from ..results_writing import DATE_MS, Suite, attributed_suite, full_suite, row, write_history

DECIDING = ("cpu_percent", "memory_percent", "disk_busy", "ready_queue_max")


def points(count):
    return [CommitPoint(f"{place:08x}", None) for place in range(count)]


def cells(count):
    return [Cell(f"s{place}", (), None, "", {}) for place in range(count)]


def changes_of(*sequence):
    places = [NOT_MEASURED if each is None else BOUNDS.index(each) for each in sequence]
    return find_changes(points(len(places)), cells(1), np.array(places).reshape(-1, 1))


def test_thresholds_on_arrays_are_the_thresholds():
    generator = np.random.default_rng(4)
    values = {
        "cpu_percent": (5, 30, 50, 70, 95, math.nan), "memory_percent": (10, 60, 90, math.nan),
        "disk_busy": (0, 0.5, 1, math.nan), "ready_queue_max": (0, 100, 101, math.nan),
    }  # fmt: skip
    drawn = {name: generator.choice(choices, 2000) for name, choices in values.items()}
    together = classify_many(drawn, thresholds=Thresholds())
    for place in range(2000):
        known = {name: column[place] for name, column in drawn.items() if not math.isnan(column[place])}
        assert BOUNDS[together[place]] is classify(known, thresholds=Thresholds()).bound
    assert set(together.tolist()) == {BOUNDS.index(r.bound) for r in RULES} | {
        BOUNDS.index(Bound.BALANCED), BOUNDS.index(Bound.INSUFFICIENT)
    }  # fmt: skip


@pytest.mark.parametrize("suite", [full_suite, attributed_suite])
@pytest.mark.parametrize("rules", list(Rules))
def test_the_last_commit_s_classes_are_the_report_s(writer, suite, rules):
    made = suite()
    made.add("odd", "cpu_percent", (95.0, None, float("nan")), sizes=("1M", "5M", "10M"))
    made.add("odd", "memory_percent", (10.0, 10.0, 10.0), sizes=("1M", "5M", "10M"))
    made.add("odd", "share_compute", (None, 0.4, 0.9), sizes=("1M", "5M", "10M"))
    made.write(writer)
    (subject,) = build_report(writer.path, rules=rules).subjects
    named = [BOUNDS[place] if place >= 0 else None for place in subject.history.bounds[-1].tolist()]
    assert named == [finding.bound if finding.probed else None for finding in subject.findings]
    seconds = [cell.figures["seconds"].value if "seconds" in cell.figures else None for cell in subject.history.cells]
    read = [None if math.isnan(each) else each for each in subject.history.seconds[-1].tolist()]
    assert read == seconds


def test_a_change_is_dated_by_the_first_commit_of_the_present_class():
    compute, disk, mixed = Bound.COMPUTE, Bound.DISK, Bound.MIXED
    (change,) = changes_of(compute, compute, disk, disk, disk)
    assert (change.before, change.after, change.since.commit) == (compute, disk, f"{2:08x}")
    assert (change.commits_since, change.changes, change.commits) == (2, 1, 5)
    (change,) = changes_of(compute, None, Bound.INSUFFICIENT, disk, None, disk)
    assert (change.since.commit, change.commits) == (f"{3:08x}", 3)
    (change,) = changes_of(compute, mixed, compute, mixed, compute, mixed)
    assert (change.before, change.after, change.changes) == (compute, mixed, 5)


@pytest.mark.parametrize(
    "sequence",
    [
        (Bound.COMPUTE,) * 3,
        (Bound.COMPUTE, Bound.DISK, None),
        (Bound.COMPUTE, Bound.DISK, Bound.INSUFFICIENT),
        (None, None, Bound.COMPUTE),
        (Bound.INSUFFICIENT, Bound.COMPUTE),
    ],
)
def test_what_is_no_change(sequence):
    assert changes_of(*sequence) == ()


def test_a_change_of_rules_is_no_change_of_class(writer):
    full_suite().write(writer, commit="1" * 40, date=DATE_MS - 1000)
    (rows,) = [full_suite().rows]
    suite = attributed_suite()
    suite.rows |= {name: given for name, given in rows.items() if name not in suite.rows}
    suite.entries += [entry for entry in full_suite().entries if entry["name"] not in suite.rows]
    suite.write(writer)
    (subject,) = build_report(writer.path).subjects
    assert len(subject.history.commits) == 2
    assert subject.history.changes == ()
    place = [cell.place for cell in subject.history.cells].index("gather at 10M")
    none, last = subject.history.bounds[:, place]
    assert none == -1
    assert BOUNDS[last] == "compute-bound"


def test_commits_come_by_date_up_to_the_one_reported(writer):
    names = write_history(writer, 6)
    attributed_suite().write(writer, machine="other")
    attributed_suite().write(writer, env="py3.12", commit=names[3], date=DATE_MS)
    report = build_report(writer.path, commit=names[3][:8], machine="box")
    by_environment = {s.environment: [p.commit for p in s.history.commits] for s in report.subjects}
    assert by_environment == {"py3.11": names[:4], "py3.12": [names[3]]}
    short = build_report(writer.path, machine="box", history=2)
    assert [p.commit for p in short.subjects[0].history.commits] == names[4:]


def test_commits_of_one_second_come_in_the_order_they_were_measured(writer):
    for place, commit in enumerate(("c" * 40, "a" * 40, "b" * 40)):
        suite = Suite()
        suite.add("s", "seconds", (1.0,), started_at=DATE_MS + place)
        suite.write(writer, commit=commit)
    (subject,) = build_report(writer.path).subjects
    assert [point.commit[0] for point in subject.history.commits] == ["c", "a", "b"]


def test_a_commit_of_the_same_second_measured_later_is_not_earlier(writer):
    for place, commit in enumerate(("a" * 40, "b" * 40)):
        writer.benchmarks()
        writer.machine()
        writer.run({"x": row([1.0], started_at=DATE_MS + place)}, commit=commit)
    results = open_results(writer.path)
    chosen = {}
    for header in results.headers:
        chosen[header.commit[0]] = [each.commit[0] for each in choose_history(results, header, limit=9)]
    assert chosen == {"a": ["a"], "b": ["a", "b"]}


def test_a_broken_old_file_of_a_shared_second_is_named_and_left_out(writer):
    made = full_suite()
    made.write(writer)
    for place in range(2):
        path = made.write(writer, commit=f"{place}" * 40, date=DATE_MS - 1000)
    path.write_text(path.read_text(encoding="utf-8")[:-200], encoding="utf-8")
    (subject,) = build_report(writer.path).subjects
    assert len(subject.history.commits) == 2
    assert path.name in subject.history.unreadable[0]


def test_words_of_no_number_in_parameters_are_theirs(writer):
    made = Suite()
    made.add("a", "cpu_percent", (90.0,), variant=[("how", ("drop NaN",))])
    made.add("b", "cpu_percent", (math.nan,))
    made.write(writer)
    (subject,) = build_report(writer.path, rules=Rules.REPORT).subjects
    assert [BOUNDS[place] for place in subject.history.bounds[-1].tolist() if place >= 0] == [Bound.INSUFFICIENT]


def test_infinite_intervals_and_numbers_no_float_can_hold(writer, monkeypatch):
    made = Suite()
    made.add("a", "seconds", (1.0,), sizes=("1M",), intervals=[(-math.inf, math.inf)])
    made.write(writer, commit="0" * 40, date=DATE_MS - 1)
    made.write(writer)
    slow = []
    monkeypatch.setattr(history_files, "read_object", lambda path: slow.append(path) or read_object(path))
    (subject,) = build_report(writer.path).subjects
    assert subject.history.seconds.tolist() == [[1.0], [1.0]]
    assert slow == []
    made.add("b", "cpu_percent", (10**400, 5.0), sizes=("1M", "2M"))
    made.write(writer)
    made.write(writer, commit="0" * 40, date=DATE_MS - 1)
    (subject,) = build_report(writer.path).subjects
    assert {(t.benchmark[:7], t.kind) for t in subject.troubles} == {("suite.b", "unreadable")}
    assert len(subject.history.commits) == 2


def test_a_broken_old_file_is_named_and_left_out(writer):
    names = write_history(writer, 4)
    path = writer.path / "box" / f"{names[1][:8]}-py3.11.json"
    path.write_text(path.read_text()[:-50])
    (subject,) = build_report(writer.path).subjects
    assert [point.commit for point in subject.history.commits] == [names[0], names[2], names[3]]
    assert "is not JSON" in subject.history.unreadable[0]


@pytest.mark.parametrize("content", ['"result_columns": 3, "results": []}', '"results": {"b": 1}}'])
def test_an_old_file_of_another_shape_says_nothing(writer, content):
    write_history(writer, 2)
    path = writer.path / "box" / "00000001-py3.11.json"
    path.write_text(path.read_text().partition('"result_columns"')[0] + '"version": 2, ' + content)
    (subject,) = build_report(writer.path).subjects
    assert subject.history.changes == ()
    assert np.isnan(subject.history.seconds[:-1]).all()


def test_an_old_file_of_another_version_is_named(writer):
    write_history(writer, 2)
    path = writer.path / "box" / "00000001-py3.11.json"
    path.write_text(path.read_text().replace('"version": 2', '"version": 3'))
    (subject,) = build_report(writer.path).subjects
    assert "field 'version': is 3" in subject.history.unreadable[0]


def test_older_parameters_versions_and_params_of_the_result_count(writer):
    suite = Suite()
    suite.add("s", "seconds", (1.0, 2.0), sizes=("1M", "5M"))
    suite.write(writer, commit="2" * 40)
    (name,) = suite.rows
    old = {
        "a": row([7.0, 3.0], params=[["'5M'", "'10M'"]]),  # other sizes then
        "b": row([7.0, 3.0], params=[["'1M'", "'5M'"]], version="v0"),  # other code then
        "c": row(None, params=[["'1M'", "'5M'"]]),  # failed then
        "d": row([float("nan"), 4.0], params=[["'1M'", "'5M'"]]),  # one was not selected
        "e": row([5.0], params=[["'1M'", "'5M'"]]),  # not asv's
        "f": row(["1.0", {"x": 1}], params=[["'1M'", "'5M'"]]),  # no numbers
    }
    for place, (letter, given) in enumerate(old.items()):
        writer.run({name: given}, commit=letter * 40, date=DATE_MS - 1000 * (9 - place))
    (subject,) = build_report(writer.path).subjects
    read = [[None if math.isnan(each) else each for each in line] for line in subject.history.seconds.tolist()]
    none = [None, None]
    assert read == [[None, 7.0], none, none, [None, 4.0], none, none, [1.0, 2.0]]


def test_trends_are_found_and_noise_is_none():
    generator = np.random.default_rng(6)
    steps = np.arange(20)[:, None]
    noise = np.exp(generator.normal(0, 0.02, (20, 200)))
    slower = find_trends(cells(200), 1.01**steps * noise)
    assert all(trend.certain and trend.interval[0] > 1 for trend in slower)
    assert np.median([trend.factor for trend in slower]) == pytest.approx(1.01**19, rel=0.02)
    flat = find_trends(cells(200), noise)
    assert not any(trend.certain for trend in flat)
    covered = np.mean([trend.interval[0] <= 1 <= trend.interval[1] for trend in flat])
    assert 0.9 <= covered <= 0.99


def test_a_trend_s_line_is_that_of_linear_regression():
    from scipy import stats

    seconds = np.array([1.0, np.nan, 1.3, 1.2, 1.6, 1.5])
    (trend,) = find_trends(cells(1), seconds[:, None])
    x, y = np.linspace(0, 1, 6)[seconds > 0], np.log(seconds[seconds > 0])
    line = stats.linregress(x, y)
    margin = stats.t.ppf(0.975, 3) * line.stderr
    assert math.log(trend.factor) == pytest.approx(line.slope)
    assert np.log(trend.interval) == pytest.approx([line.slope - margin, line.slope + margin])
    assert (trend.count, trend.first, trend.last) == (5, 1.0, 1.5)


def test_a_benchmark_that_is_younger_than_the_history_has_its_own_trend():
    """What 4 % over its last five commits is, is not ten times that over the hundred before."""
    seconds = np.full((100, 1), np.nan)
    seconds[95:, 0] = 1.0, 1.01, 1.02, 1.03, 1.04
    (trend,) = find_trends(cells(1), seconds)
    assert trend.factor == pytest.approx(1.04, rel=1e-3)
    assert not trend.certain


def test_an_interval_that_says_nothing_is_none(writer):
    made = Suite()
    name = made.add("a", "seconds", (1.0,), sizes=("1M",))
    for place, seconds in enumerate((1e-3, 1e3, 1e-3)):
        made.rows[name][0] = [seconds]
        made.write(writer, commit=f"{place}" * 40, date=DATE_MS + place)
    report = build_report(writer.path)
    (trend,) = report.subjects[0].history.trends
    assert (trend.interval, trend.certain) == (None, False)
    assert trend.factor == pytest.approx(1.0)
    assert "1.00x [too noisy to tell]" in render_markdown(report).replace("\\", "")
    (wild,) = find_trends(cells(1), np.array([[1e-300], [1.0], [1e300]]))
    assert (wild.factor, wild.interval) == (None, None)


def test_few_commits_are_no_trend():
    assert find_trends(cells(1), np.array([[1.0]])) == ()
    (two,) = find_trends(cells(1), np.array([[1.0], [9.0]]))
    assert (two.factor, two.interval, two.certain) == (None, None, False)
    (four,) = find_trends(cells(1), np.array([[1.0], [2.0], [4.0], [8.0]]))
    assert four.factor == pytest.approx(8.0)
    assert not four.certain


@pytest.mark.parametrize(
    ("seconds", "drawn"),
    [
        ([1.0, 1.03, 0.97], "▅▅▄"),
        ([1.0, 10.0, 100.0], "▁▅█"),
        ([1.0, math.nan, 100.0], "▁·█"),
        ([math.nan, math.nan], ""),
    ],
)
def test_sparklines(seconds, drawn):
    assert draw_sparkline(np.array(seconds)) == drawn


def test_history_needs_no_more_than_the_chosen_results(writer):
    write_history(writer, 3)
    results = open_results(writer.path)
    assert len(choose_headers(results)) == 1


def test_shares_of_no_whole_are_not_disturbed(writer):
    """More contention than there was time is a fault of the figure, in today's class and in history's."""
    suite = Suite()
    suite.add("clean", "share_contention", (2.0,), sizes=("1M",))
    suite.write(writer)
    (subject,) = build_report(writer.path).subjects
    assert subject.findings[0].bound is Bound.INSUFFICIENT
    assert BOUNDS[subject.history.bounds[-1, 0]] is Bound.INSUFFICIENT
