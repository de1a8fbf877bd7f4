"""The report in text, Markdown and JSON: what it says, on whose results, whatever they are."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from cdpipe.figures import CATALOGUE, SHARES, UNITS
from cdpipe.perf.analysis.causes import CAUSES
from cdpipe.perf.analysis.scaling import JUDGED_DECADES, JUDGED_SIZES, ORDERS
from cdpipe.perf.analysis.slot_classes import FULL, MARGIN, NEAR_LIMIT_PERCENT
from cdpipe.perf.analysis.thresholds import RULES, Thresholds
from cdpipe.perf.report.render import build_report, render_json, render_markdown, render_text
from cdpipe.perf.report.summary import summarise
from cdpipe.perf.results.model import ResultsError
from cdpipe.perf.wording.units import format_quantity, format_significant

from ..results_writing import DATE_MS, OLDER, OWN, Suite, benchmark, full_suite, row

HOSTILE = [
    "b.<script>alert(1)</script>",
    "b.|pipe|",
    "b.\x1b[31mred\x1b[0m",
    "b.[red]tag[/]",
    "b.\u202ertl",
    "b.`x`\n# y",
]


def text_of(report, width=100):
    stream = io.StringIO()
    render_text(report, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


@pytest.fixture
def report(writer):
    full_suite().write(writer)
    return build_report(writer.path, settings=OWN)


def test_the_summary(report):
    assert summarise(report) == (
        "Measured: 18 stages x sizes on box (2 cores, Test CPU) at commit a1b2c3d4 of 2026-11-22.",
        "Classes by thresholds: compute 3, memory 3, I/O 3, scheduler 3, balanced 3, not probed 3.",
        "Longest: attack/swap_rand at 10M, 21.5 s, scheduler-bound (box, a1b2c3d4).",
        "Growth: no time is surely steeper than its size (5 of 5 have an interval).",
        "Targets: 3 met, 3 missed (T1, T7, T10), 6 not measured.",
        "Failed: 1 benchmark: suite.attack_offset_rand.time_seconds.",
    )


def test_text_says_class_figures_growth_targets_and_failures(report):
    text = text_of(report)
    for said in (
        r"gather +10M +I/O-bound +13 +31 +95 +4 +1\.4 GB +4\.3 s",
        r"attack/offset_rand +5M: 900 ms",
        r"features +time +3 +1\.02 \[0\.96, 1\.08\] +not judged +5x 10x +5\.12x 10\.5x",
        r"T1 spatial filter, .*< 5 s +12\.9 s +missed +suite\.clean_spatial",
        r"Not measured at the size that they are for: T3, T4, T8, T9, T11, T12",
        r"suite\.attack_offset_rand\.time_seconds +failed +raised or timed out at 10M",
        r"suite\.attack_offset_rand\.time_seconds +skipped +not selected, or skipped itself at 15M",
        r"memory-bound: the peak is near the memory limit \(B101\): features at 1M, 5M, 10M",
        r"- make partitions smaller: \[gather\] block_mb",
    ):
        assert re.search(said, text), said


def test_text_keeps_to_a_hundred_columns_and_needs_no_colour(report):
    text = text_of(report)
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text
    coloured = io.StringIO()
    render_text(report, Console(file=coloured, width=100, color_system="standard", force_terminal=True))
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured.getvalue()) == text


def test_each_section_names_machine_and_commit(report):
    titles = re.findall(r"^## (.*)$", render_markdown(report), re.MULTILINE)
    assert [title.removesuffix(" on box, commit a1b2c3d4") for title in titles] == [
        "Stages", "Not probed", "Remedies", "Growth", "Targets", "Changes of class", "Other figures",
        "Without a figure",
    ]  # fmt: skip
    assert sum("box" in title for title in titles) == 7


def test_remedies_come_once_a_class(report):
    markdown = render_markdown(report)
    for bound in ("memory", "compute", "I/O", "scheduler"):
        assert markdown.count(f"**{bound}-bound**") == 1
    assert "**balanced**" not in markdown


def test_markdown_tables_are_whole(report):
    tables = [line for line in render_markdown(report).splitlines() if line.startswith("|")]
    assert len(tables) > 30
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in tables]
    assert set(widths) == {10, 8, 7, 6, 4, 3}


def test_json_has_every_figure_with_its_unit_benchmark_machine_and_commit(report):
    data = json.loads(render_json(report))
    (subject,) = data["subjects"]
    assert (subject["machine"]["name"], subject["commit"]) == ("box", "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678")
    cell = next(c for c in subject["cells"] if (c["stage"], c["rows"]) == ("gather", 5_000_000))
    assert (cell["class"], cell["rule"], cell["missing"]) == ("I/O-bound", "B103", [])
    assert (cell["rules"], cell["attribution"], cell["probed"]) == ("report", None, True)
    assert cell["figures"]["seconds"] == {
        "value": 2.1, "unit": "s", "interval": [pytest.approx(1.89), pytest.approx(2.31)],
        "benchmark": "suite.gather.time_seconds", "params": ["'5M'"], "others": None,
    }  # fmt: skip
    assert {t["code"]: t["outcome"] for t in subject["targets"]}["T5"] == "met"
    assert data["thresholds"]["queue_high"] == 100.0
    assert data["summary"] == list(summarise(report))


def test_all_three_formats_name_the_same_classes(report):
    cells = json.loads(render_json(report))["subjects"][0]["cells"]
    classes = [cell["class"] for cell in cells if cell["probed"]]
    pattern = r"(compute-bound|memory-bound|I/O-bound|scheduler-bound|balanced|insufficient data)"
    section = re.search(r"## Stages(.*?)\n## ", render_markdown(report), re.DOTALL)[1]
    assert re.findall(rf"\| {pattern} \|", section) == classes
    assert re.findall(rf"  {pattern}  ", text_of(report)) == classes


def test_several_machines_and_environments_are_told_apart(writer):
    suite = full_suite()
    for machine, env in (("fast", "py3.11"), ("fast", "py3.12"), ("slow", "py3.11")):
        suite.write(writer, machine=machine, env=env)
    report = build_report(writer.path)
    assert len(summarise(report)) == 5
    titles = re.findall(r"^## Stages on (.*)$", render_markdown(report), re.MULTILINE)
    assert titles == ["fast, commit a1b2c3d4, py3.11", "fast, commit a1b2c3d4, py3.12", "slow, commit a1b2c3d4"]
    assert len(build_report(writer.path, machine="slow").subjects) == 1


def test_thresholds_and_commit_are_the_caller_s(writer):
    suite = full_suite()
    suite.write(writer)
    suite.write(writer, commit=OLDER, date=DATE_MS - 1)
    report = build_report(writer.path, commit=OLDER[:8], thresholds=Thresholds(cpu_high_percent=99))
    assert "at commit 0f1e2d3c" in summarise(report)[0]
    assert "compute" not in summarise(report)[1]
    assert json.loads(render_json(report))["thresholds"]["cpu_high_percent"] == 99


def test_another_project_s_results_are_listed_and_never_classed(writer):
    entries = [
        benchmark("x.time_a"),
        benchmark("x.peakmem_a", kind="peakmemory", unit="bytes"),
        benchmark("x.track_a", kind="track"),
    ]
    writer.benchmarks(*entries)
    writer.machine()
    writer.run({entry["name"]: row([5.0]) for entry in entries})
    report = build_report(writer.path)
    assert [f.verdict.bound for f in report.subjects[0].findings] == ["insufficient data"] * 2
    assert summarise(report)[1] == "Classes: not probed 2."
    assert re.search(r"x\.time_a +5 s +-", text_of(report))
    assert "No stage was probed, so none has a class." in text_of(report)


def test_a_run_in_which_everything_failed_is_reported(writer):
    writer.benchmarks(benchmark("b"))
    writer.machine()
    writer.run({"b": row(None)})
    report = build_report(writer.path)
    assert summarise(report)[1:4] == (
        "Classes: none.",
        "Longest: no stage was timed.",
        "Failed: 1 benchmark: b.",
    )
    for text in (text_of(report), render_markdown(report)):
        assert "No benchmark gave a figure." in text.replace("\\", "")
    json.loads(render_json(report))


def test_results_of_asv_itself(asv_project):
    report = build_report(asv_project.results)
    (subject,) = report.subjects
    assert subject.commit == asv_project.commit
    (scaling,) = [s for s in subject.scalings if s.title == "clean/basic (mode=plain)" and s.figure == "seconds"]
    assert 0.7 < scaling.fit.exponent < 1.2  # it sleeps in proportion to its rows, on a machine that may be busy
    assert {t.kind for t in subject.troubles} == {"failed", "skipped"}
    classes = {(f.cell.stage, str(f.verdict.bound)) for f in subject.findings}
    assert classes == {
        ("clean/basic", "compute-bound"),  # it tracks 91.5 % CPU and 21 % memory
        ("suite.time_foreign", "insufficient data"),
        ("suite.peakmem_list", "insufficient data"),
    }
    assert "clean/basic (mode=it's)" in text_of(report)


def test_hostile_names_change_nothing_around_them(writer):
    writer.benchmarks(*(benchmark(name) for name in HOSTILE))
    writer.machine()
    writer.run({name: row([1.0]) for name in HOSTILE})
    report = build_report(writer.path)
    text, markdown = text_of(report), render_markdown(report)
    for rendered in (text, markdown):
        assert "\x1b" not in rendered
        assert "\u202e" not in rendered
        assert not re.search(r"^# y", rendered, re.MULTILINE)
    assert "[red]tag[/]" in text
    assert "<script>" not in markdown.replace("\\<", "")
    rows = [line for line in markdown.splitlines() if line.endswith("| 1 s |")]
    assert len(rows) == len(HOSTILE)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {3}
    assert sorted(c["stage"] for c in json.loads(render_json(report))["subjects"][0]["cells"]) == sorted(HOSTILE)


def test_a_long_table_is_cut_in_text_and_says_so(writer):
    suite = Suite()
    for place in range(230):
        suite.add(f"stage{place:03}", "seconds", (1.0,))
    suite.write(writer)
    report = build_report(writer.path)
    text = text_of(report)
    assert "and 30 more; the formats md and json have all of them" in text
    assert "stage199" in text
    assert "stage200 " not in text
    assert "stage229" in render_markdown(report)


def test_nothing_readable_is_an_error(tmp_path):
    with pytest.raises(ResultsError, match="is not a directory"):
        build_report(tmp_path / "absent")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"), (61.0, "s", "61 s"), (2.5e-6, "s", "2.5 us"), (0.0, "s", "0 s"),
        (1.5e9, "B", "1.5 GB"), (12, "B", "12 B"), (0, "B", "0 B"), (0.855, "share", "85.5 %"), (2.0, "x", "2x"),
        (581395, "rows/s", "581 k rows/s"), (50, "rows/s", "50 rows/s"), (7, "tasks", "7"), (3, "things", "3 things"),
    ],
)  # fmt: skip
def test_quantities_read_well(value, unit, text):
    assert format_quantity(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (100, "100"),
        (1234, "1234"),
        (87.456, "87.5"),
        (0.0001, "0.0001"),
        (999.6, "1000"),
        (1e7, "1e+07"),
        (-2.5, "-2.5"),
    ],
)
def test_three_digits(value, text):
    assert format_significant(value) == text


def test_the_page_that_explains_the_report_names_every_class_rule_and_figure():
    text = (Path(__file__).parents[3] / "docs" / "bottlenecks.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert f"| {rule.bound} |" in text
        assert rule.code in text
    for cause in CAUSES:
        assert f"| {cause.bound} |" in text
        assert cause.code in text
    assert all(f"`{figure}`" in text for figure in UNITS if not figure.startswith("share_"))
    assert all(f"`{share}`" in text for share in SHARES)
    assert all(f"`{order}`" in text for order in ORDERS)
    limits = Thresholds()
    for said in (
        f"{limits.cpu_high_percent:g} %", f"{limits.memory_high_percent:g} %", f"than {limits.queue_high:g} tasks",
        f"{FULL:.0%}".replace("%", " %"), f"{MARGIN:.0%}".replace("%", " %"), f"{NEAR_LIMIT_PERCENT:g} %",
        f"{JUDGED_SIZES} sizes over {JUDGED_DECADES} decades",
    ):  # fmt: skip
        assert said in text, said


def test_what_only_has_figures_beside_a_stage_is_shown_but_not_classified(report):
    (subject,) = report.subjects
    beside = [cell for cell in subject.cells if not any(CATALOGUE[name].says_bound for name in cell.figures)]
    assert beside
    assert not {id(cell) for cell in beside} & {id(finding.cell) for finding in subject.findings}
    (data,) = json.loads(render_json(report))["subjects"]
    assert [cell["stage"] for cell in data["unclassified_cells"]] == [cell.stage for cell in beside]
