"""Tables of a study: one row a cell, and means over seeds with intervals; as Parquet, CSV and LaTeX."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
from scipy import stats

from cdpipe.studies.sweep.cells import Cell
from cdpipe.studies.sweep.records import Record

METRICS: Final = ("accuracy", "precision", "recall", "f1", "specificity", "balanced_accuracy", "mcc")
_AXES: Final = ("attack", "variant", "features", "split", "classifier")
_SHOWN: Final = ("f1", "mcc")
"""What the LaTeX table shows; the CSV has all."""

_NOTE: Final = "Means over seeds, with Student's 95 % interval of the mean; needs the package booktabs."

TABLES: Final = ("cells.parquet", "cells.csv", "summary.csv", "summary.tex", "transfer.csv", "transfer.tex")
"""Files that `write_tables` writes."""

CONFIDENCE: Final = 0.95
_SPECIAL: Final = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def tabulate_cells(cells: Sequence[Cell], records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each cell: its axes, its parameters, what it found.

    Parameters
    ----------
    cells
        In order.
    records
        By key; a cell without one is left out.
    """
    rows = []
    for cell in cells:
        record = records.get(cell.key)
        if record is None:
            continue
        attack = cell.config.attack.model_dump(mode="json", exclude_unset=True)
        rows.append(
            {
                **{name: getattr(cell, name) for name in (*_AXES, "seed")},
                "parameters": _name_parameters(attack),
                "failed": record.get("failed"),
                **{name: record.get(name) for name in ("train_rows", "test_rows", "test_vehicles", "majority_rate")},
                **dict(record.get("metrics") or {}),
                **{name: record.get(name) for name in ("fit_s", "predict_s")},
                "key": cell.key,
            }
        )
    return pd.DataFrame(rows)


def summarise_seeds(cells: pd.DataFrame) -> pd.DataFrame:
    """Return for each setting the mean of each metric over seeds, its deviation and a 95 % interval of the mean.

    The interval is Student's, of as many values as there are seeds; from one seed there is none (NaN). It says how far
    draws of attackers and sides move the mean. How far other vehicles would, no seed tells.
    """
    rows = []
    for axes, group in cells.groupby([*_AXES, "parameters"], sort=False, dropna=False):
        done = group[group["failed"].isna()]
        row: dict[str, Any] = dict(zip([*_AXES, "parameters"], axes, strict=True)) | {"seeds": len(done)}
        for name in METRICS:
            row |= estimate_mean(name, [float(value) for value in done[name].dropna()] if name in done else [])
        rows.append(row)
    return pd.DataFrame(rows)


def estimate_mean(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return mean, standard deviation and the bounds of Student's interval of a metric's mean, by column.

    Bounds are cut where no value of the metric can be; NaN where there are too few values.
    """
    count = len(values)
    mean = math.fsum(values) / count if count else math.nan
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1)) if count > 1 else math.nan
    reach = (
        float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * deviation / math.sqrt(count) if count > 1 else math.nan
    )
    return {
        f"{name}_mean": mean,
        f"{name}_sd": deviation,
        f"{name}_low": max(mean - reach, -1.0 if name == "mcc" else 0.0) if count > 1 else math.nan,
        f"{name}_high": min(mean + reach, 1.0) if count > 1 else math.nan,
    }


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write the tables: cells as Parquet and CSV, the others as CSV and LaTeX."""
    tables["cells"].to_parquet(folder / "cells.parquet", index=False)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    head = (*_AXES, "parameters", "seeds")
    _write_latex(tables["summary"], head, folder / "summary.tex")
    _write_latex(
        tables["transfer"],
        ("features", "split", "classifier", "trained_on", "tested_on", "seeds"),
        folder / "transfer.tex",
    )


def _write_latex(table: pd.DataFrame, head: Sequence[str], path: Path) -> None:
    rows = [[*(str(row[name]) for name in head), *(_in_brackets(row, name) for name in _SHOWN)] for row in _rows(table)]
    path.write_text(render_latex((*head, *_SHOWN), rows, note=_NOTE), encoding="utf-8")


def render_latex(head: Sequence[str], rows: Iterable[Sequence[str]], *, note: str) -> str:
    """Return a table for LaTeX, which needs the package booktabs."""
    lines = [f"% {note}", rf"\begin{{tabular}}{{{'l' * len(head)}}}", r"\toprule"]
    lines += [" & ".join(map(escape_latex, head)) + r" \\", r"\midrule"]
    lines += [" & ".join(map(escape_latex, row)) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def escape_latex(text: str) -> str:
    """Return a text as LaTeX shows it."""
    return "".join(_SPECIAL.get(sign, sign) for sign in text)


def _in_brackets(row: Mapping[str, Any], name: str) -> str:
    mean, low, high = (row[f"{name}_{what}"] for what in ("mean", "low", "high"))
    if math.isnan(mean):
        return "--"
    return f"{mean:.3f}" if math.isnan(low) else f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(map(str, table.columns), row, strict=True)) for row in table.itertuples(index=False)]


def _name_parameters(attack: Mapping[str, Any]) -> str:
    """Return an attack's own parameters as text, without what other columns say."""
    said = {name: value for name, value in attack.items() if name not in ("kind", "seed", "coordinates", "centre")}
    return ", ".join(f"{name}={value}" for name, value in said.items())
