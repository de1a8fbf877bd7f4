"""The proof's own parts: plants that change the cost and not the answer, tasks, records, rates and asv's rules."""

import ast
import json

import numpy as np
import pandas as pd
import pytest

from cdpipe.perf.gate.reporting.as_data import describe_outcome
from tests.perf.gate.simulated import SimulatedSides, measure

from . import planted_work
from .asv_rules import RULES, calls_worse
from .clone import ROOT
from .plants import _FRAMES, PLANTS, plant
from .rates import Rate, count_rates
from .run import choose_benchmarks, describe_proof, write_rates
from .tasks import Records, Task, list_quick_tasks, list_tasks


@pytest.mark.parametrize("planted", PLANTS, ids=lambda planted: planted.name)
def test_a_plant_wraps_the_function_that_all_work_goes_through(planted, tmp_path):
    module, function = _FRAMES[planted.stage]
    path = tmp_path / module
    path.parent.mkdir(parents=True)
    path.write_text((ROOT / module).read_text())
    plant(tmp_path, planted, 12.5)
    tree = ast.parse(path.read_text())
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)].count(function) == 2
    work = (tmp_path / "cdpipe" / "planted.py").read_text()
    assert '"CDPIPE_PLANTED", "12.5"' in work
    assert f"def {planted.kind}(" in work
    path.write_text("nothing = 1\n")
    with pytest.raises(ValueError, match=f"has no function '{function}' to plant work in"):
        plant(tmp_path, planted, 1.0)


@pytest.mark.parametrize(
    "kind", ["extra_pass", "copies", "lost_vectorisation", "per_row_call", "quadratic", "leak", "memory_growth"]
)
def test_planted_work_is_done_and_changes_no_answer(kind, monkeypatch):
    frame = pd.DataFrame({"a": np.arange(2000.0), "b": ["x"] * 2000})
    calls = []

    def apply(given, factor):
        calls.append(len(given))
        return given["a"] * factor

    monkeypatch.setattr(planted_work, "AMOUNT", 1250.0)
    monkeypatch.setattr(planted_work, "KEPT", [])
    made = getattr(planted_work, kind)(apply, frame, 3)
    pd.testing.assert_series_equal(made, frame["a"] * 3)
    assert calls == ([2000, 500, 2000] if kind == "extra_pass" else [2000])
    assert len(planted_work.KEPT) == (kind == "leak")


def test_a_reread_reads_a_part_and_a_smaller_partition_is_smaller(tmp_path, monkeypatch):
    path = tmp_path / "data"
    path.write_bytes(b"a\n" * 3_000_000)
    monkeypatch.setattr(planted_work, "AMOUNT", 500.0)
    assert planted_work.reread(lambda source, out: (source, out), str(path), "out") == (str(path), "out")
    from cdpipe import RunConfig

    config = RunConfig(input={"paths": [str(path)]})
    cut = planted_work.smaller_partitions(lambda source: source, config)
    assert cut.gather.block_mb == pytest.approx(config.gather.block_mb / 1.5)
    assert planted_work.reread(lambda source: source, config) is config


def test_tasks_are_mixed_and_each_is_there_once():
    tasks = list_tasks(equal=60, planted=2, bursts=4)
    assert len({task.key for task in tasks}) == len(tasks)
    measured = [task for task in tasks if task.kind != "truth"]
    assert tasks[: len(measured)] == measured
    half = measured[: len(measured) // 2]
    assert 28 <= sum(task.kind == "equal" for task in half) <= 32
    assert 0 < len(list_quick_tasks()) <= 6


def test_records_outlive_an_end_in_the_middle_of_a_line(tmp_path):
    records = Records(tmp_path / "deep" / "records.jsonl")
    assert records.read() == []
    records.add({"key": "a"})
    with (tmp_path / "deep" / "records.jsonl").open("a") as file:
        file.write('{"key": "b", "outc')
    records.add({"key": "c"})
    assert [record["key"] for record in records.read()] == ["a", "c"]


def simulate(task, changes, **options):
    """A record as the proof writes it, of simulated processes."""
    from cdpipe.perf.gate.deciding.verdicts import Criteria
    from cdpipe.perf.gate.outcome import Commit, Outcome, Row

    measured = measure(SimulatedSides(changes, **options), ["a", "b"], seed=options.get("seed", 0))
    outcome = Outcome(
        base=Commit("a" * 40, "a"), head=Commit("b" * 40, "b"),
        rows=tuple(map(Row, measured.series, measured.decisions)),
        criteria=Criteria(), pairs=tuple(measured.pairs), seconds=1.0,
    )  # fmt: skip
    described = json.loads(json.dumps(describe_outcome(outcome)))
    return {"key": task.key, "task": task._asdict(), "date": "2026-11-30T00:00:00+00:00", "outcome": described}


@pytest.fixture(scope="module")
def records():
    plant_ = PLANTS[0].name
    both = {"a": 0.10, "b": 0.10}
    return [
        *(simulate(Task("equal", turn=seed), {}, spread=0.02, seed=seed) for seed in range(8)),
        *(simulate(Task("planted", plant_, 0.10, turn=s), both, spread=0.02, seed=20 + s) for s in range(4)),
        simulate(Task("truth", plant_, 0.10), both, spread=0.02, seed=99),
    ]


def test_rates_are_counted_from_records(records):
    rates = {rate.what: rate for rate in count_rates(records)}
    assert rates["equal commits: runs with an alarm"].of == 8
    assert rates["equal commits: runs with an alarm"].count == 0
    assert rates["equal commits: no change, within 5 %"].rate > 0.9
    assert (rates["planted 10%: found"].count, rates["planted 10%: found"].of) == (8, 8)
    assert rates["intervals of 95 % that hold the truth, after stopping"].of == 24
    assert rates["planted and found: the resource is the planted one"].count == 0  # nobody looked for causes here
    assert rates["asv continuous, defaults: planted 10%: found"].count == 0
    text = write_rates(list(rates.values()))
    assert "equal commits: runs with an alarm: 0 of 8 (95 % bounds 0.0%, 31.2%)  wanted <= 0.05: NOT MET" in text
    data = json.loads(json.dumps(describe_proof(records, list(rates.values()))))
    assert data["comparisons"] == 13
    assert len(data["runs"]) == 13


@pytest.mark.parametrize(
    ("count", "of", "wanted", "is_met"),
    [
        (0, 59, "<= 0.05", True), (0, 58, "<= 0.05", False), (9, 10, ">= 0.9", True), (8, 10, ">= 0.9", False),
        (0, 0, "<= 1", None),
    ],
)  # fmt: skip
def test_bounds_are_clopper_and_pearson_s(count, of, wanted, is_met):
    assert Rate("x", count, of, wanted).is_met is is_met


def test_asv_s_rules_are_asv_s():
    base = [[1.0, 1.01, 1.02, 1.0, 1.01]] * 8
    head = [[value * 1.3 for value in process] for process in base]
    assert [calls_worse(rule, base, head) for rule in RULES] == [True, True, True, True]
    assert not any(calls_worse(rule, base, base) for rule in RULES)
    # Thrice as slow, three samples a process: six against six cannot reach its limit, and asv sleeps.
    short, slow = [[3.0, 3.1, 3.05]] * 2, [[9.0, 9.1, 9.05]] * 2
    assert not calls_worse(RULES[0], short, slow)


@pytest.mark.parametrize("planted", [None, *PLANTS], ids=lambda planted: planted.name if planted else "none")
def test_a_plant_is_seen_by_one_benchmark_of_the_suite(planted):
    """Names and sizes are the suite's: an expression that selects nothing would prove nothing."""
    import inspect
    import re
    from types import SimpleNamespace

    from benchmarks import clean, gate

    expression = choose_benchmarks(SimpleNamespace(path=ROOT), planted)
    names = [
        f"{module.__name__.removeprefix('benchmarks.')}.{cls.__name__}.{name}('{rows}')"
        for module in (gate, clean)
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if cls.__module__ == module.__name__ and getattr(cls, "params", None)
        for name in dir(cls)
        if name.startswith(("time_run", "peakmem_run"))
        for rows in cls.params[0]
    ]
    selected = [name for name in names if re.search(expression, name)]
    assert len(selected) == (1 if planted else 6), selected
