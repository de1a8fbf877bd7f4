"""Other projects' suites: nothing of cdpipe's own is said of them, and what they state themselves is."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.page.page import render_page
from cdpipe.perf.report.render import build_report, render_json, render_markdown, render_text
from cdpipe.perf.results.model import ResultsError
from cdpipe.perf.settings.settings import find_settings, read_settings

from .results_writing import OWN, SHARES, ResultsWriter, Suite, attributed_suite, benchmark, row

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "asv-suite"


def write_numbers(writer):
    """A library of arrays: times and memory by `n`, and a `track_` of its own."""
    params, names = [["100", "10000", "1000000"], ["'f4'", "'f8'"]], ["n", "dtype"]
    entries = [
        benchmark("sort.Sort.time_sort", params=params, param_names=names),
        benchmark("sort.Sort.peakmem_sort", kind="peakmemory", unit="bytes", params=params, param_names=names),
        benchmark("sort.track_accuracy", kind="track", unit="digits"),
    ]
    writer.benchmarks(*entries)
    writer.machine()
    values = [n * 1e-7 for n in (100, 100, 10_000, 10_000, 1_000_000, 1_000_000)]
    rows = {name: row(values, params=params) for name in ("sort.Sort.time_sort", "sort.Sort.peakmem_sort")}
    writer.run(rows | {"sort.track_accuracy": row([7.0])})


def write_probed(writer):
    """A service that was probed: every class that a share makes, and a peak near its limit."""
    suite = Suite()
    for share in SHARES:
        suite.add(f"serve.{share}", f"share_{share}", (0.9,))
        suite.add(f"serve.{share}", "share_compute" if share != "compute" else "share_idle", (0.1,), name="rest")
        suite.add(f"serve.{share}", "seconds", (2.0,))
    suite.add("serve.full", "share_compute", (0.9,))
    suite.add("serve.full", "memory_percent", (95.0,))
    suite.write(writer)


def write_thresholds(writer):
    """A simulation that tracks what the fixed thresholds need, in units of its own."""
    entries, rows = [], {}
    figures = {"cpu_percent": ("share", (0.95, 0.1, 0.5)), "memory_percent": ("percent", (20.0, 20.0, 80.0)),
               "disk_busy": ("percent", (0.0, 90.0, 0.0)), "ready_queue_max": ("count", (1.0, 1.0, 1.0)),
               "seconds": ("ms", (5.0, 50.0, 500.0))}  # fmt: skip
    params = [["np.int64(10)", "np.int64(100)", "np.int64(1000)"]]
    for figure, (unit, values) in figures.items():
        name = f"sim.track_{figure}"
        attributes = {"cdpipe_stage": "simulate", "cdpipe_figure": figure}
        entries.append(benchmark(name, kind="track", unit=unit, params=params, param_names=["cells"], **attributes))
        rows[name] = row(list(values), params=params)
    writer.benchmarks(*entries)
    writer.machine()
    writer.run(rows)


SUITES = (write_numbers, write_probed, write_thresholds)
OURS = ("block_mb", "[gather]", "[session]", "[cache]", "cdpipe/kernels", "Parquet", "pandas", "Targets", *(
    target.title for target in OWN.targets), *(own.remedy.text for own in OWN.remedies if own.remedy.keys))  # fmt: skip


def texts_of(report):
    stream = io.StringIO()
    render_text(report, Console(file=stream, width=100, color_system=None))
    return stream.getvalue(), render_markdown(report).replace("\\", ""), render_page(report, project="theirs")


@pytest.mark.parametrize("write", SUITES)
def test_nothing_of_cdpipe_s_own_is_said(writer, write):
    write(writer)
    report = build_report(writer.path)
    for text in texts_of(report):
        assert [said for said in OURS if said in text] == []
    (subject,) = json.loads(render_json(report))["subjects"]
    assert subject["targets"] == []
    assert not any(remedy["keys"] for cell in subject["cells"] for remedy in cell["remedies"])


def test_every_class_has_general_remedies(writer):
    write_probed(writer)
    (subject,) = build_report(writer.path).subjects
    found = {finding.bound for finding in subject.findings if finding.remedies}
    assert found == set(Bound) - {Bound.IO, Bound.MIXED, Bound.BALANCED, Bound.INSUFFICIENT, Bound.DISTURBED}


def test_sizes_are_those_of_any_parameter(writer):
    write_numbers(writer)
    report = build_report(writer.path)
    (subject,) = report.subjects
    laws = {scaling.title: scaling for scaling in subject.scalings if scaling.figure == "seconds"}
    assert laws["sort.Sort.time_sort (dtype=f4)"].fit.exponent == pytest.approx(1.0)
    assert laws["sort.Sort.time_sort (dtype=f4)"].size_name == "n"
    text, _, page = texts_of(report)
    assert "time grows as n^1.00" in page
    assert "Rows" not in text


def test_tables_say_nothing_that_a_stranger_must_guess(writer):
    """Sizes are no rows, factors have no exponents, a reason stands once, and what is not shown is not explained."""
    sizes = ["10", "1000", "100000", "10000000"]
    for number in range(3):
        entries = [
            benchmark("sort.time_sort", params=[sizes], param_names=["n"]),
            benchmark("load.track_size", kind="track", unit="MB", params=[["'npy'", "'zip'"]], param_names=["format"]),
            benchmark("x.track_negative", kind="track", unit="unit", cdpipe_figure="share_compute"),
        ]
        writer.benchmarks(*entries)
        rows = {
            "sort.time_sort": row([1e-6 * int(size) for size in sizes], params=[sizes]),
            "load.track_size": row([1.0, 2.0], params=[["'npy'", "'zip'"]]),
            "x.track_negative": row([-0.3]),
        }
        writer.run(rows, commit=f"{number:08x}{0:032x}", date=1_795_380_581_000 + number)
    text, markdown, page = texts_of(build_report(writer.path))
    assert "100x 10,000x 1,000,000x" in " ".join(markdown.split())
    assert "e+06" not in page
    assert "Rows" not in text
    assert markdown.count("asv type 'track' in 'MB', no cdpipe_figure") == 1
    assert "Time goes: the largest shares" not in text
    assert "-: not measured" not in text


def test_a_suite_without_probes_is_told_how_to_have_them(writer):
    write_numbers(writer)
    for text in texts_of(build_report(writer.path)):
        assert "cdpipe.probe.benchmark.Probed" in text


def test_units_and_sizes_of_their_own_are_read(writer):
    write_thresholds(writer)
    (subject,) = build_report(writer.path).subjects
    assert [(finding.cell.rows, str(finding.bound)) for finding in subject.findings] == [
        (10, "compute-bound"), (100, "I/O-bound"), (1000, "memory-bound"),
    ]  # fmt: skip
    assert subject.findings[0].cell.figures["seconds"].value == pytest.approx(0.005)


def test_a_project_s_own_file_is_found_and_followed(tmp_path):
    (tmp_path / "perf").mkdir()
    conf = '{ // with comments\n "version": 1, "benchmark_dir": "perf" }'
    (tmp_path / "asv.conf.json").write_text(conf)
    path = tmp_path / "perf" / "bottlenecks.toml"
    path.write_text(
        'scheduler = "local"\n'
        '[[targets]]\ncode = "X1"\ntitle = "quick"\nfigure = "seconds"\nstages = ["serve.*"]\nat_most = "500 ms"\n'
        '[[remedies]]\ncauses = ["A301"]\ntext = "add a disk"\nkeys = ["storage.disks"]\nstages = ["serve.disk"]\n'
        '[[remedies]]\ncauses = ["A101"]\ntext = "only elsewhere"\nstages = ["other"]\n'
    )
    writer = ResultsWriter(tmp_path / "a" / "results")
    write_probed(writer)
    assert find_settings(writer.path).path == path
    report = build_report(writer.path)
    text = texts_of(report)[0]
    assert "add a disk: [storage] disks" in text
    assert "only elsewhere" not in text
    assert "1 missed (X1)" in text
    stages = {finding.cell.stage: finding for finding in report.subjects[0].findings}
    assert stages["serve.compute"].remedies == ()  # the project's own cannot work there
    assert stages["serve.sleep"].remedies[0].keys == ()  # it names none for this, so general ones are said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("targets = 1", "targets.*no list of tables"),
        ('[[targets]]\ncode = "X"\ntitle = "x"\nfigure = "seconds"\n', "0 limits"),
        ('[[targets]]\ncode = "X"\ntitle = "x"\nfigure = "seconds"\nbelow = "5 GB"\n', "'5 GB'"),
        ('[[targets]]\ncode = "X"\ntitle = "x"\nfigure = "speed"\nbelow = 1\n', "'speed'"),
        ('[[targets]]\ncode = "X"\ntitle = "x"\nfigure = "seconds"\nbelow = 1\nsize = "big"\n', "'big'"),
        ('[[targets]]\ncode = "X"\ntitle = "x"\nfigure = "read_bytes"\nrate = true\nabove = 1\n', "not in seconds"),
        ('[[remedies]]\ncauses = ["A101"]\n', r"remedies\[0\].text.*missing"),
        ('[[remedies]]\ncauses = ["A101"]\ntext = "x"\nwhen = ["on Mondays"]\n', "'on Mondays'"),
        ('scheduler = "dask"', "'dask'"),
        ('colour = "red"', "'colour'.*no key"),
        ("= 1", "no TOML"),
        ('include = ["own.toml"]', "includes itself"),
        ('include = ["absent.toml"]', "absent.toml"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_key_and_value(tmp_path, text, said):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ResultsError, match=said):
        read_settings(path.resolve())


def test_a_remedy_against_no_finding_is_refused(writer, tmp_path):
    attributed_suite().write(writer)
    path = tmp_path / "own.toml"
    path.write_text('[[remedies]]\ncauses = ["A999"]\ntext = "x"\n')
    with pytest.raises(ResultsError, match="A999"):
        build_report(writer.path, settings=read_settings(path))


def test_the_example_s_settings_are_read():
    settings = read_settings(EXAMPLE / "bottlenecks.toml")
    assert [target.code for target in settings.targets] == ["D1"]
    assert settings.sizes == ("n",)


_LIGHT = """
import importlib.abc, sys
BLOCKED = {"asv", "bokeh", "click", "cryptography", "dask", "distributed", "fsspec", "geographiclib", "matplotlib",
           "numba", "pandas", "pyarrow", "pydantic", "sklearn", "threadpoolctl", "xxhash"}
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is not in the light install")
sys.meta_path.insert(0, Block())
sys.path.insert(0, sys.argv[1])
import cdpipe
assert cdpipe.__file__.startswith(sys.argv[1]), cdpipe.__file__
from pathlib import Path
from cdpipe.perf.command import main
from cdpipe.perf.page.page import render_page
from cdpipe.perf.report.render import build_report
from cdpipe.probe.benchmark import Probed
class Loop(Probed):
    def work(self):
        sum(range(100_000))
assert "share_compute" in Loop().measure()
assert "<html" in render_page(build_report(Path(sys.argv[2])), project="x")
sys.exit(main(["--results", sys.argv[2], "--all"]))
"""


def test_the_light_distribution_stands_alone(writer, tmp_path):
    """Its wheel is unpacked and used with all packages of the pipeline blocked."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist")]
    built = subprocess.run(
        [*command, str(ROOT / "packaging" / "bottlenecks")], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(tmp_path / "light")], check=True)
    write_probed(writer)
    script = [sys.executable, "-c", _LIGHT, str(tmp_path / "light"), str(writer.path)]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "disk-bound" in done.stdout


@pytest.mark.slow
def test_the_example_is_measured_and_reported(tmp_path):
    """As its README says, by asv itself: each benchmark in its class, unless this machine is too busy to tell."""
    folder = tmp_path / "suite"
    shutil.copytree(EXAMPLE, folder)
    who = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
    environment = {**os.environ, **who, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}

    def call(*command):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        call("git", *command)
    asv = (sys.executable, "-m", "asv")
    call(*asv, "machine", "--yes")
    once = ("-a", "rounds=1", "-a", "repeat=2")
    call(*asv, "run", "--python=same", "--set-commit-hash", call("git", "rev-parse", "HEAD"), *once)
    report = build_report(folder / ".asv" / "results")
    expected = {"Digest": Bound.COMPUTE, "Answer": Bound.WAITING, "HalfIdle": Bound.PARALLELISM}
    for finding in report.subjects[0].findings:
        name = finding.cell.stage.removeprefix("sorting.")
        assert finding.bound in {expected[name], Bound.DISTURBED}, finding.attribution
    assert "D1 digest 2 MB" in texts_of(report)[0]
    call(*asv, "publish", "--no-pull")
    assert "https://" not in (folder / ".asv" / "html" / "bottlenecks" / "index.html").read_text()
