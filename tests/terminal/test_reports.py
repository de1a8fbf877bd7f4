import dataclasses
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from cdpipe.engine.graph.steps import Outcome
from cdpipe.engine.run.observer import PartitionDone, PartitionsBegan, Said
from cdpipe.reports.run_report import RunReport
from cdpipe.stages.gather.conventions import USUAL
from cdpipe.stages.ledger import Ledger
from cdpipe.terminal.progress import Progress, TerminalProgress
from cdpipe.terminal.reports import follow, show_cache, show_report
from cdpipe.training.classifiers import CLASSIFIERS
from cdpipe.training.metrics import measure
from cdpipe.training.train import Fitted, Trained

MANY = 45_000_000
METRICS = measure(np.repeat([0, 0, 1, 1], [60, 5, 7, 30]), np.repeat([0, 1, 0, 1], [60, 5, 7, 30]))
LEDGERS = {
    "gather": Ledger("gather", MANY, MANY - 3, {"metadata_generatedAt: not a timestamp": 2, "too few fields": 1}),
    "clean": Ledger(
        "clean",
        MANY - 3,
        MANY - 5_000_003,
        {"null in coreData_accelset_accelYaw": 4_000_000, "coreData_position: not POINT (lon lat)": 1_000_000},
    ),
    "attack": Ledger("attack", MANY, MANY, notes={"messages of attackers": 13_500_000}),
    "features": Ledger("features", MANY, MANY, notes={"ids that are no hexadecimal number of 64 bits": 12_345_678}),
}
TRAINED = Trained(
    tuple(Fitted(name, METRICS, 1234.5, 98.7) for name in CLASSIFIERS),
    Ledger("train", 12, 10, {"null in x_pos": 2}),
    ("x_pos",),
    36_000_000,
    9_000_000,
    90_000,
    0.7012,
)
REPORT = RunReport(
    config={},
    ledgers=LEDGERS,
    cache={"gather": "hit", "features": "miss"},
    seconds={"clean": 12345.678, "attack": 0.001},
    wall_s=1234.5,
    used={"cpu_percent": 87.6, "tree_peak_bytes": 12_340_000_000},
    projections=(("streaming", 10**9, 10**10),),
    trained=TRAINED,
    absent={"coreData_heading": ("a.csv", "b.csv")},
    conventions={"a.csv": USUAL},
    outputs={"report": Path("out/report.json")},
    versions={},
    machine={"cores": 64, "processor": "A Processor", "memory_gb": 512.1},
)


def shown(report=REPORT, width=100):
    stream = io.StringIO()
    show_report(report, Console(file=stream, width=width))
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_headings_and_figures_are_whole_at_any_width(width):
    text = shown(width=width)
    assert "…" not in text
    tables = text.partition("1234.50 s in all")[0].partition("metrics on")[2]
    for heading in ("accuracy", "precision", "recall", "f1", "specificity", "balanced", "mcc", "fit s", "predict s"):
        assert f" {heading} " in tables
    found = {name: [] for name in CLASSIFIERS}
    for line in tables.splitlines():
        name, *figures = line.split() or [""]
        if name in found:
            found[name] += figures
    figures = ("accuracy", "precision", "recall", "f1", "specificity", "balanced_accuracy", "mcc")
    for name in CLASSIFIERS:
        assert found[name] == [*(f"{getattr(METRICS, each):.4f}" for each in figures), "1234.50", "98.70"]
    for table in (tables, text.partition("metrics on")[0]):
        assert max(map(len, table.splitlines())) <= width


def test_the_accounts_of_45_million_rows_are_one_table_at_80_columns():
    rows = next(line for line in shown(width=80).splitlines() if "thread-seconds" in line)
    assert rows.split() == ["stage", "in", "out", "dropped", "cache", "thread-seconds"]


def test_every_account_is_there_with_its_reasons():
    text = shown()
    for ledger in LEDGERS.values():
        for rows in (ledger.rows_in, ledger.rows_out, *ledger.dropped.values(), *ledger.notes.values()):
            assert f"{rows:,}" in text
    flat = " ".join(text.split())
    for said in (
        "4,000,000 null in coreData_accelset_accelYaw",
        "1,000,000 coreData_position: not POINT (lon lat)",
        "13,500,000 (messages of attackers)",
        "coreData_heading: not in a.csv, b.csv; read as null",
        "training left out 2 messages: null in x_pos",
        "always naming the commoner class scores 0.7012",
        "report: out/report.json",
        "1234.50 s in all, CPU 88 % of 64 cores, peak memory 12.34 GB on A Processor, 512.1 GB",
    ):
        assert said in flat, said


def test_hits_and_misses_stand_beside_their_stage():
    lines = shown().splitlines()
    assert "hit" in next(line for line in lines if line.strip().startswith("gather"))
    assert "miss" in next(line for line in lines if line.strip().startswith("features"))


def test_what_was_not_measured_or_trained_is_left_out():
    text = shown(dataclasses.replace(REPORT, trained=None, used=None, absent={}))
    for silent in ("CPU", "peak memory", "classifier", "read as null"):
        assert silent not in text


def test_rates_over_nothing_are_shown_as_such():
    nothing = measure(np.zeros(5, np.int8), np.zeros(5, np.int8))
    trained = dataclasses.replace(TRAINED, fitted=(Fitted("KNeighbors", nothing, 0.0, 0.0),))
    line = next(
        line for line in shown(dataclasses.replace(REPORT, trained=trained)).splitlines() if "KNeighbors" in line
    )
    assert line.split().count("nan") == 3


def test_a_long_path_is_not_broken(capsys):
    long = Path("/".join(["a" * 30] * 6)) / "report.json"
    show_report(dataclasses.replace(REPORT, outputs={"report": long}))
    assert f"report: {long}\n" in capsys.readouterr().out


def test_a_run_shows_a_bar_for_each_pass_and_then_the_report(capsys):
    def run(observer):
        observer.see(Said("projected memory, streaming: at most 1 GB"))
        for label in ("gather → clean", "survey for attack"):
            observer.see(PartitionsBegan(label, 2))
            for done in (1, 2):
                observer.see(PartitionDone(label, done, 2, Outcome({}, {}, 1_500, 10**6)))
        return REPORT

    show_report(follow(run, TerminalProgress(Console(file=sys.stdout, width=100, force_terminal=True))))
    text = capsys.readouterr().out
    assert "projected memory, streaming: at most 1 GB" in text
    assert "gather → clean" in text
    assert "survey for attack" in text
    assert "2/2" in text
    assert "3,000 rows" in text
    assert "thread-seconds" in text


def test_a_run_that_fails_shows_no_report(capsys):
    def run(observer):
        observer.see(PartitionsBegan("gather", 1))
        raise ValueError("no rows")

    with pytest.raises(ValueError, match="no rows"):
        show_report(follow(run, Progress()))
    assert "thread-seconds" not in capsys.readouterr().out


@pytest.mark.parametrize(("rate", "said"), [(None, "no look-up yet"), (0.875, "87.5%")])
def test_the_cache_s_figures_are_shown(capsys, rate, said):
    by_stage = {"clean": {"entries": 2, "bytes": 5_000_000}}
    show_cache(
        {"directory": Path("cache"), "entries": 2, "bytes": 5_000_000, "hits": 7, "misses": 1,
         "hit_rate": rate, "by_stage": by_stage}
    )  # fmt: skip
    text = capsys.readouterr().out
    assert "2 entries, 0.005 GB" in text
    assert f"7 hits, 1 misses, hit rate {said}" in text
    assert "clean: 2 entries, 5.0 MB" in text


HOSTILE = ("o[/b]", "o[red]x", ":smile:", "[link=x]y[/link]", "a\\[b]")
SHOWN_AS = {
    "a\x1b[31mb": r"a\x1b[31mb",
    "a\nb": r"a\nb",
    "a\x9bm": r"a\x9bm",
    "caf\udce9": r"caf\udce9",
    "a\rb": r"a\rb",
}


@pytest.mark.parametrize(("name", "seen"), [*((name, name) for name in HOSTILE), *SHOWN_AS.items()])
def test_names_are_printed_as_they_are_and_write_nothing_else(capsys, name, seen):
    ledger = Ledger("gather", 3, 0, {f"{name}: not a number": 2, "x": 1}, {f"{name} read as null": 1})
    report = dataclasses.replace(
        REPORT,
        ledgers={"gather": ledger},
        absent={name: (f"{name}.csv",)},
        outputs={"report": Path(name) / "report.json"},
        trained=dataclasses.replace(TRAINED, ledger=Ledger("train", 2, 0, {f"null in {name}": 2})),
    )

    def run(observer):
        observer.see(Said(f"{name}: values in units"))
        observer.see(PartitionsBegan(f"{name} → clean", 1))
        observer.see(PartitionDone(f"{name} → clean", 1, 1, Outcome({}, {}, 1_500, 10**6)))
        return report

    show_report(follow(run, TerminalProgress(Console(file=sys.stdout, width=100))))
    show_cache(
        {"directory": Path(name), "entries": 0, "bytes": 0, "hits": 0, "misses": 0, "hit_rate": None, "by_stage": {}}
    )
    text = capsys.readouterr().out
    for said in (
        f"{seen}: values in units\n",
        f"{seen}: not in {seen}.csv; read as null\n",
        f"report: {seen}/report.json\n",
        f"training left out 2 messages: null in {seen}\n",
        f"\n{seen}\n0 entries",
    ):
        assert said in text
    whole = " ".join(shown(report, width=300).split())
    assert f"2 {seen}: not a number" in whole
    assert f"1 ({seen} read as null)" in whole
    assert all(sign.isprintable() for sign in text.replace("\n", ""))
