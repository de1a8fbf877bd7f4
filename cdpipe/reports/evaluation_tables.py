"""Tables of an evaluation, as CSV with every digit and as LaTeX to be put into a paper."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from cdpipe.reports.flushed_files import write_flushed
from cdpipe.training.evaluation.intervals import Estimate
from cdpipe.training.evaluation.ladder import is_leak
from cdpipe.training.evaluation.ranking import RANKINGS
from cdpipe.training.evaluation.result import ClassifierResult, Evaluation

Cell = str | float | int | Estimate | None

_TABLES: Final = ("metrics", "prevalence", "baselines", "importance", "ladder")
_CURVES: Final = "evaluation_curves.csv"

TABLE_FILES: Final = (*(f"evaluation_{name}.{kind}" for name in _TABLES for kind in ("csv", "tex")), _CURVES)
"""Names of the files."""

_SPECIAL: Final = str.maketrans({sign: f"\\{sign}" for sign in "&%$#_{}"} | {"\\": "/", "~": " ", "^": " "})
"""Signs that mean something to LaTeX."""


class Table(NamedTuple):
    """A table.

    Attributes
    ----------
    caption
        A sentence on it.
    columns
        Names.
    rows
        Cells by column.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def write_tables(evaluation: Evaluation, folder: Path) -> list[str]:
    """Write every table that has a row; return the names of the files."""
    written = []
    for name, table in make_tables(evaluation).items():
        if table.rows:
            write_flushed(folder / f"evaluation_{name}.csv", format_csv(table).encode())
            write_flushed(folder / f"evaluation_{name}.tex", format_latex(table).encode())
            written += [f"evaluation_{name}.csv", f"evaluation_{name}.tex"]
    curves = _tabulate_curves(evaluation)
    if curves.rows:
        write_flushed(folder / _CURVES, format_csv(curves).encode())
        written.append(_CURVES)
    return written


def make_tables(evaluation: Evaluation) -> dict[str, Table]:
    """Return the tables by name; one without rows is there too."""
    results = evaluation.classifiers
    names = tuple(each.classifier for each in results)
    tested = f"{evaluation.messages:,} messages of {evaluation.vehicles:,} vehicles ({evaluation.attackers:,} attack)"
    tables = (
        Table(f"Figures on {tested}.", ("unit", "figure", *names), _list_metrics(results)),
        Table(
            "Precision if attackers sent another share of the messages.",
            ("prevalence", *names),
            tuple(
                (share, *(each.precisions[share] for each in results))
                for share in (results[0].precisions if results else ())
            ),
        ),
        Table(
            "Features as they are, taken for scores.",
            ("feature", "suspicious", *RANKINGS),
            tuple(
                (each.feature, each.suspicious, *(each.rankings[name] for name in RANKINGS))
                for each in evaluation.baselines
            ),
        ),
        Table(
            "Fall of MCC when a group of features is permuted.",
            ("classifier", "group", "features", "mcc_fall"),
            tuple(
                (each.classifier, group.group, " ".join(group.features), group.fall)
                for each in results
                for group in each.importance
            ),
        ),
        Table(
            "Ladder of leaks: the same classifiers on folds made in other ways.",
            ("classifier", "folds_of", "mcc", "macro_f1", "mcc_excess_over_vehicle", "is_leak", "missing"),
            tuple(
                (each.classifier, rung.rung, rung.mcc, rung.macro_f1, rung.excess, int(is_leak(rung)), rung.missing)
                for each in results
                for rung in each.ladder
            ),
        ),
    )
    return dict(zip(_TABLES, tables, strict=True))


def _list_metrics(results: tuple[ClassifierResult, ...]) -> tuple[tuple[Cell, ...], ...]:
    found = [dict(_list_figures(each)) for each in results]
    return tuple((*key, *(each[key] for each in found)) for key in (found[0] if found else ()))


def _list_figures(result: ClassifierResult) -> Iterator[tuple[tuple[str, str], Estimate]]:
    """Yield every figure of a classifier, by what is counted and by name."""
    vehicles = result.vehicles
    for name, each in (result.rates | result.rankings).items():
        yield ("message", name), each
    for name, each in vehicles.decisions.items():
        yield ("vehicle", name), each
    yield ("vehicle", "honest_alarmed"), vehicles.honest_alarmed
    yield ("vehicle", "attackers_alarmed"), vehicles.attackers_alarmed
    yield ("vehicle", "messages_to_first_alarm_median"), vehicles.waits.median
    yield ("vehicle", "messages_to_first_alarm_ninth_decile"), vehicles.waits.ninth_decile


def _tabulate_curves(evaluation: Evaluation) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for each in evaluation.classifiers:
        for name, curve in zip(("roc", "precision_recall"), each.curves or (), strict=False):
            rows += [(each.classifier, name, float(x), float(y)) for x, y in zip(curve.x, curve.y, strict=True)]
    return Table(
        "Curves: true by false positive rate, precision by recall.", ("classifier", "curve", "x", "y"), tuple(rows)
    )


def format_csv(table: Table) -> str:
    """Return a table as CSV: an estimate has three columns, its value, `_low` and `_high`; nothing is rounded."""
    are_estimates = [any(isinstance(row[place], Estimate) for row in table.rows) for place in range(len(table.columns))]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header: list[str] = []
    for name, is_estimate in zip(table.columns, are_estimates, strict=True):
        header += [name, f"{name}_low", f"{name}_high"] if is_estimate else [name]
    writer.writerow(header)
    for row in table.rows:
        cells: list[Cell] = []
        for cell, is_estimate in zip(row, are_estimates, strict=True):
            if is_estimate:
                cells += cell if isinstance(cell, Estimate) else (None, None, None)
            else:
                cells.append(cell)
        writer.writerow(cells)
    return text.getvalue()


def format_latex(table: Table) -> str:
    """Return a table as LaTeX for the package booktabs; figures have three digits, and their interval beside them."""
    columns = "l" * len(table.columns)
    lines = [
        f"% {table.caption} Intervals are of 95 %, by resampling vehicles.",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _join(table.columns),
        r"\midrule",
        *(_join([format_cell(cell) for cell in row]) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def format_cell(cell: Cell, digits: int = 3) -> str:
    """Return a cell as text: `0.966 [0.951, 0.981]`, or `--` for what is undefined."""
    if cell is None:
        return "--"
    if not isinstance(cell, Estimate):
        return str(cell)
    value, low, high = (_round(each, digits) for each in cell)
    if cell.low is None and cell.high is None:
        return value
    return f"{value} [{low}, {high}]"


def _round(value: float | None, digits: int) -> str:
    if value is None:
        return "--"
    return f"{value:.0f}" if value > 1 and value == round(value) else f"{value:.{digits}f}"


def _join(cells: tuple[str, ...] | list[str]) -> str:
    return " & ".join(cell.translate(_SPECIAL) for cell in cells) + r" \\"
