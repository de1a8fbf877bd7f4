"""The asv suite: no dead names, every figure of every stage, sizes from the table, and each benchmark runs."""

import itertools
import math
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asv.benchmarks import Benchmarks
from asv.config import Config
from asv_runner.discovery import get_benchmark_from_name
from linting import find_dead_names

from benchmarks import _sized, _sizes, _stage, attack, cache
from cdpipe.figures import PERCENTS, SHARES, UNITS
from cdpipe.perf.analysis.scaling import JUDGED_DECADES, JUDGED_SIZES, ORDERS
from cdpipe.perf.results.cells import place_of
from cdpipe.perf.results.model import Benchmark

ROOT = Path(_sizes.__file__).parent
TINY = "2k"
GRAPH = "graph_seconds"
CLEANERS = {"clean/basic", "clean/timestamps", "clean/spatial"}
KINDS = {"offset_const", "offset_rand", "offset_const_per_id", "swap_rand", "override_const", "override_rand"}
ATTACKS = {"attack/choose", *(f"attack/{kind}" for kind in KINDS)}
STAGES = {"gather", *CLEANERS, *ATTACKS, "features", "train", "pipeline", "job"}
TRACKED = {PERCENTS.get(figure, figure) for figures in _stage.TRACKED.values() for figure in figures}
OF_ALL_SIZES = r"\.time_run$"
"""What the quick suite measures at all its sizes; the rest only at the largest of a family."""
MOST = 120
DASK_OWN = "ignore:The inplace keyword in DataFrame.reset_index"
"""What Dask warns of itself, reading Parquet."""
ISSUE_SIZES = {
    **{key: {"1M", "5M", "10M"} for key in CLEANERS},
    **{key: {"5M", "10M", "15M"} for key in ATTACKS},
    "pipeline": {"10k", "50k", "100k"},
}


def names_in_suite() -> list[Any]:
    """Names of the benchmarks, for the parametrised test below; not of those that have every kernel compiled anew.

    The smoke of `.ci/run` runs them all; here it is one of each module, and the others at night.
    """
    from asv_runner.discovery import disc_benchmarks

    names = [benchmark.name for benchmark in disc_benchmarks(str(ROOT))]
    names = [name for name in names if name != "imports.track_use"]
    first = {name.partition(".")[0]: name for name in reversed(names)}.values()
    return [name if name in first else pytest.param(name, marks=pytest.mark.slow) for name in names]


def sized(described: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in described if each["params"]]


def family_of(name: str) -> _sizes.Family:
    return next(each for each in _sizes.FAMILIES.values() if re.match(each.names, name))


def test_no_name_is_dead(described):
    sources = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("*.py")}
    assert find_dead_names(sources, {each["name"].rpartition(".")[2] for each in described}) == []


@pytest.mark.parametrize("name", ["test_speed", "cleanup", "teardown_cache", "tim_run", "TimeRun", "peak_mem_run"])
def test_lint_finds_a_dead_name(name):
    source = f"class Suite:\n    def setup(self): ...\n    def time_run(self): ...\n    def {name}(self): ...\n"
    assert [line.split(":")[1] for line in find_dead_names({"suite.py": source}, {"time_run"})] == [f"4 {name}"]


def test_lint_accepts_hooks_and_helpers():
    source = "def setup(): ...\ndef time_run(): helper()\ndef helper(): ...\n"
    assert find_dead_names({"suite.py": source}, {"time_run"}) == []


def places_of(each: dict[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    """What the report makes of each combination of a benchmark's parameters."""
    order = each.get("cdpipe_order", "")
    read = Benchmark(
        each["name"], each["type"], each["unit"], tuple(each["param_names"]), tuple(map(tuple, each["params"])),
        each["version"], each["cdpipe_stage"], each["cdpipe_figure"], order if isinstance(order, str) else "",
        order if isinstance(order, dict) else {},
    )  # fmt: skip
    return [(params, place_of(read, params)) for params in itertools.product(*each["params"])]


def measured(described: list[dict[str, Any]]) -> list[tuple[dict[str, Any], Any]]:
    return [(each, place) for each in described for _, place in places_of(each)]


def test_there_are_few_enough_to_look_at(described):
    assert 50 < len(described) <= MOST
    assert len(selected(described, "gate")) <= 8
    longest = max(len(each["name"]) for each in described)
    assert longest <= 40, "a name is a heading in asv's grid, and a file of its site"


def test_every_benchmark_says_stage_and_figure(described):
    assert described
    for each in described:
        assert re.sub(r"/?\{\w+\}", "", each["cdpipe_stage"]) in each["pretty_name"], each["name"]
        assert "{" not in each["pretty_name"], each["name"]
        assert not each["pretty_name"].startswith(":"), each["name"]
        for params, place in places_of(each):
            assert "{" not in place.stage + place.figure, each["name"]
            assert place.figure in {*UNITS, GRAPH}, (each["name"], params)


def test_no_figure_of_a_stage_comes_from_two_benchmarks(described):
    counts = Counter((place.stage, place.figure, place.variant, place.rows_text) for _, place in measured(described))
    assert [key for key, count in counts.items() if count > 1] == []


def test_every_stage_has_every_figure(described):
    figures = {(place.stage, place.figure) for _, place in measured(described)}
    missing = {(stage, figure) for stage in STAGES for figure in ("seconds", "peak_bytes", *TRACKED)} - figures
    assert missing == {("train", figure) for figure in _stage.OF_TASKS}, "training hands out no tasks"
    assert {
        ("import", "seconds"),
        ("import", "help_seconds"),
        ("import/pandas", "seconds"),
        ("import/use", "seconds"),
        ("import/first_use", "wall_seconds"),
        ("import/later_use", "wall_seconds"),
        ("import", "peak_bytes"),
        ("cache", "hit_rate"),
        ("cache", "lookup_seconds"),
    } <= figures
    baselines = {stage for stage, figure in figures if figure == "baseline_seconds"}
    assert {"clean/timestamps", "clean/spatial", "attack/offset_rand", "features"} <= baselines <= STAGES
    assert ("kernel/within_radius", "kernel_seconds") in figures
    in_memory = {stage for stage, figure in figures if figure == "in_memory_seconds" and not stage.startswith("gate/")}
    assert in_memory == {"attack/offset_rand", "attack/swap_rand", "features"}


def test_the_gate_has_the_job_and_each_stage(described):
    gate = {place.stage for each, place in measured(described) if each["name"].startswith("gate.")}
    assert gate == {f"gate/{stage}" for stage in ("job", "gather", "clean", "attack", "features", "train")}
    sizes = dict(selected(described, "gate"))
    assert len(sizes) == len(gate)
    for each in described:
        if each["name"] in sizes:
            benchmark = get_benchmark_from_name(str(ROOT), each["name"])
            assert benchmark.repeat[0] >= 5, "a process stands for one figure, which must be a robust one"
            assert each["rounds"] >= 12


def test_every_registered_attack_is_measured():
    from cdpipe.stages.attacks import ATTACKS as REGISTERED

    assert {each.model_fields["kind"].default for each in REGISTERED} == KINDS == {*attack.KINDS} - {"choose"}


def test_sizes_come_from_the_table(described):
    for each in sized(described):
        if each["name"] == "imports.track_use":
            continue
        assert each["param_names"][0] == "rows", each["name"]
        assert each["params"][0] == [repr(label) for label in family_of(each["name"]).labels], each["name"]
        assert "rows" not in each["param_names"][1:], each["name"]
    assert {each["name"] for each in described if not each["params"]} == {
        *(f"imports.timeraw_{what}" for what in ("import_cdpipe", "import_pandas", "help", "use")),
        "imports.peakmem_reference",
    }


def test_curves_are_of_cores_and_of_partitions_and_in_the_full_suite_alone(described):
    curves = {(p.stage, *dict(p.variant)) for each, p in measured(described) if each["name"].startswith("curves.")}
    stages = ("clean/timestamps", "attack/offset_rand")
    assert curves == {(stage, name) for stage in stages for name in ("cores", "partition_rows")}
    assert not [name for name, _ in selected(described, "quick") if name.startswith("curves.")]


def test_figures_are_those_that_the_report_knows(described):
    assert _stage.SHARES == SHARES
    assert _stage.PERCENTS == PERCENTS
    tracks = [each for each in described if ".track_" in each["name"] and "figure" in each["param_names"]]
    assert {each["unit"] for each in tracks} == _stage.TRACKED.keys()
    units = {"bytes": {"B"}, "share": {"share", "%"}, "seconds": {"s"}}
    for each, place in measured(tracks):
        assert each["name"].endswith(f".track_{each['unit']}")
        assert UNITS[place.figure] in units.get(each["unit"], {"tasks", "cores", "samples"}), place.figure
        assert place.scale == (100 if UNITS[place.figure] == "%" else 1), place.figure


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_growth_can_be_judged_in_the_full_suite(described, stage):
    sizes = [_sizes.count_rows(label) for label in _sizes.FAMILIES[stage.split("/")[0]].full]
    assert len(sizes) >= JUDGED_SIZES
    assert math.log10(sizes[-1] / sizes[0]) >= JUDGED_DECADES
    declared = {}
    for each, place in measured(described):
        orders = each.get("cdpipe_order", {})
        order = orders.get(place.figure) if isinstance(orders, dict) else orders
        if place.stage == stage and order and not place.variant:
            declared[place.figure] = order
    assert declared.keys() == {"seconds", "peak_bytes", "tree_peak_bytes"}
    assert set(declared.values()) <= ORDERS.keys()


def test_figures_of_work_done_several_times_are_of_one_time():
    probed = {
        "wall_seconds": 0.6,
        "tasks": 12,
        "read_bytes": 10,
        "cpu_percent": 50.0,
        "memory_percent": None,
        "network_bytes": None,
        "shares": {"compute": 0.5},
        "task_seconds": {"p50": 0.01},
    }
    assert _stage.flatten(probed, 4) == {
        "wall_seconds": pytest.approx(0.15),
        "tasks": 3,
        "read_bytes": 2.5,
        "cpu_share": 0.5,
        "memory_share": None,
        "network_bytes": None,
        "share_compute": 0.5,
        "task_seconds_p50": 0.01,
        "runs": 4,
    }


@pytest.mark.slow
@pytest.mark.filterwarnings(DASK_OWN)
def test_probed_run_lasts_long_enough_to_be_attributed(data_folder, tmp_path, monkeypatch):
    from benchmarks.clean import Basic

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_sized, "WARM_UP", TINY)
    record = Basic().used(TINY)
    assert record["wall_seconds"] * record["runs"] >= _stage.PROBED_S
    assert sum(record[f"share_{name}"] for name in _stage.SHARES) == pytest.approx(1)
    assert Basic().used(TINY) == record


@pytest.mark.filterwarnings(DASK_OWN)
def test_a_run_that_could_not_be_measured_is_skipped_and_says_why(data_folder, tmp_path, monkeypatch):
    import cdpipe.probe.probe
    from benchmarks.clean import Basic

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_sized, "WARM_UP", TINY)
    monkeypatch.setattr(_stage, "PROBED_S", 0.0)
    monkeypatch.setattr(cdpipe.probe.probe, "why_unmeasurable", lambda: "there is no /proc here")
    for unit, figure in (("seconds", "cpu_seconds"), ("share", "share_compute"), ("bytes", "tree_peak_bytes")):
        with pytest.raises(NotImplementedError, match=f"no {figure} was measured: there is no /proc here"):
            getattr(Basic(), f"track_{unit}")(TINY, figure)


@pytest.mark.parametrize("stage", sorted(ISSUE_SIZES))
def test_full_suite_has_the_sizes_that_were_asked_for(described, stage):
    labels = ISSUE_SIZES[stage]
    assert labels <= set(_sizes.FAMILIES[stage.split("/")[0]].full)
    for kind, figure in (("time", "seconds"), ("peakmemory", "peak_bytes")):
        found = [
            each
            for each in measured(described)
            if (each[1].stage, each[1].figure, each[1].variant) == (stage, figure, ())
        ]
        assert {each["type"] for each, _ in found} == {kind}
        assert labels <= {place.rows_text for _, place in found}


def selected(described: list[dict[str, Any]], suite: str) -> set[tuple[str, str]]:
    """What asv itself selects, as (name, size)."""
    chosen = Benchmarks(SimpleNamespace(benchmark_dir=str(ROOT)), described, regex=[_sizes.select(suite)])
    found = set()
    for name in chosen:
        indices = chosen.benchmark_selection[name]
        params = list(itertools.product(*chosen[name]["params"]))
        if chosen[name]["param_names"][:1] != ["rows"]:
            found |= {(name, "")}
            continue
        found |= {(name, params[index][0].strip("'")) for index in indices}
        if suite == "smoke" and "figure" in chosen[name]["param_names"]:
            assert {params[index][-1].strip("'") for index in indices} <= set(_sizes.ONE_A_UNIT)
            continue
        if suite == "quick" and name.startswith("attack.") and ".time_" not in name:
            assert {params[index][1].strip("'") for index in indices} == set(_sizes.ATTACKS) <= set(attack.KINDS)
            continue
        # of each size, all values of any other parameter
        assert len(indices) == len(set(indices)) == sum(1 for each in params if (name, each[0].strip("'")) in found)
    return found


@pytest.mark.parametrize("suite", ["quick", "full", "smoke", "gate"])
def test_selection_is_the_tables(described, suite):
    expected = {
        (each["name"], label)
        for each in described
        for name, family in _sizes.FAMILIES.items()
        if re.match(family.names, each["name"])
        for label in (_sizes.sizes(suite, name) or (() if family.labels or suite == "gate" else ("",)))
        if suite == "full" or label in ("", *_sizes.sizes(suite, name)[-1:]) or re.search(OF_ALL_SIZES, each["name"])
    }
    assert selected(described, suite) == expected
    left = {each["name"] for each in described} - {name for name, _ in expected}
    assert suite == "gate" or all(name.startswith(("curves.", "gate.")) and suite == "quick" for name in left)


def test_comparison_leaves_out_figures_that_say_nothing_of_speed(described):
    chosen = selected(described, "compare")
    quick = selected(described, "quick")
    assert chosen < quick
    assert not [name for name, _ in chosen if ".track_" in name]
    left = {name for name, _ in quick - chosen if ".track_" not in name}
    assert left == {
        "imports.timeraw_import_pandas",
        *(name for name, _ in quick if name.startswith("baseline.")),
    }, "pandas is not ours"


def test_one_figure_stands_for_those_of_its_unit():
    assert [sum(name in figures for name in _sizes.ONE_A_UNIT) for figures in _stage.TRACKED.values()] == [1] * 4


def test_unknown_suite_is_an_error():
    with pytest.raises(ValueError, match="there is no suite 'fast'; use quick, full, smoke, compare, gate"):
        _sizes.select("fast")


@pytest.mark.parametrize(("label", "rows"), [("500", 500), ("10k", 10_000), ("15M", 15_000_000)])
def test_label_means_rows(label, rows):
    assert _sizes.count_rows(label) == rows


@pytest.mark.parametrize("label", ["", "0", "1e6", "5G", "-1k", "k"])
def test_label_that_means_no_rows_is_an_error(label):
    with pytest.raises(ValueError, match="is no number of rows"):
        _sizes.count_rows(label)


def test_samples_suffice_for_significance(described):
    """Mann-Whitney's p stays above asv's 0.002 with six against six samples, whatever they are."""
    timed = [each for each in described if each["cdpipe_figure"] == "seconds"]
    timed = [each for each in timed if each["cdpipe_stage"] not in ("train", "pipeline")]
    assert len(timed) >= 10
    for each in timed:
        benchmark = get_benchmark_from_name(str(ROOT), each["name"])
        assert each["number"] == 1, each["name"]
        assert each["rounds"] * benchmark.repeat[0] >= 8, each["name"]


def test_the_site_shows_what_is_measured(described):
    sources = {each["name"]: each["code"] for each in described}
    assert "filters=" in sources["clean.Spatial.time_run"]
    assert "'swap_rand'" in sources["attack.Attack.track_bytes"]
    assert "within_radius(*given" in sources["kernels.time_kernel"]


def test_what_a_commit_lacks_is_skipped_and_what_it_has_is_not():
    _stage.skip_unless("cdpipe:clean", "cdpipe.probe.probe:probe", "json:dumps")
    for missing in ("cdpipe:no_such_stage", "cdpipe.engine.no_such_module:probe", "no_such_package.module:name"):
        with pytest.raises(NotImplementedError, match=f"this commit has no {missing}"):
            _stage.skip_unless(missing)


@pytest.mark.filterwarnings(DASK_OWN)
@pytest.mark.parametrize("name", names_in_suite())
def test_benchmark_runs(name, data_folder, monkeypatch):
    """Each benchmark at a tiny size, through asv's own code and in one folder, so that none can rot."""
    monkeypatch.chdir(data_folder)
    monkeypatch.setattr(_sized, "WARM_UP", TINY)
    monkeypatch.setattr(cache, "RUNS", 2)
    once = {"number": 1, "repeat": 1, "rounds": 1, "warmup_time": 0}
    benchmark = get_benchmark_from_name(str(ROOT), name, extra_params=once)
    if benchmark.params:
        sizes = ("rows", "partition_rows")
        named = zip(benchmark.param_names, benchmark._params, strict=True)
        benchmark._current_params = tuple(TINY if param in sizes else values[0] for param, values in named)
    assert not benchmark.do_setup(), "skipped, though this commit has all there is"
    try:
        result = benchmark.do_run()
    finally:
        benchmark.do_teardown()
    values = result["samples"] if isinstance(result, dict) else [result]
    assert all(isinstance(value, int | float) and value >= 0 for value in values)
    assert values
    if not name.rpartition(".")[2].startswith("track_"):
        assert min(values) > 0


def test_regressions_have_thresholds_of_their_own(described):
    """asv matches from the beginning of `name(params)@branch`, takes the largest that fits, and else a twentieth."""
    table = Config.load(str(ROOT.parent / "asv.conf.json")).regressions_thresholds
    used, never = set(), 1e9
    for each, params in [(one, params) for one in described for params in itertools.product(*one["params"])]:
        entry = each["name"] + (f"({', '.join(params)})" if params else "") + "@HEAD"
        fitting = {pattern: value for pattern, value in table.items() if re.match(pattern, entry)}
        used |= fitting.keys()
        assert len(fitting) == (each["type"] == "track" or "pandas" in entry), entry
        if each["unit"] in ("share", "tasks", "cores", "count"):
            assert set(fitting.values()) == {never}, "a processor that is busier is no regression"
        if "tree_peak_bytes" in entry or "'cpu_seconds'" in entry:
            assert max(fitting.values()) < 1, entry
    assert used == table.keys(), "a pattern that fits nothing is a mistake"
