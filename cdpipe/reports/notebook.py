"""Notebook view of a run's report: its tables and pictures as HTML."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from cdpipe.reports.training_notes import describe_sides

if TYPE_CHECKING:
    from cdpipe.reports.run_report import RunReport

_WIDTH_PX: Final = 320


def show_report_as_html(report: RunReport) -> str:
    """Return what became of the rows, the metrics and the pictures of a run; names in them are escaped."""
    parts = [_to_paragraph(repr(report)[1:-1]), _to_html(_rows(report))]
    reasons = _reasons(report)
    if len(reasons):
        parts.append(_to_html(reasons))
    if report.trained is not None and report.fitted:
        parts += [_to_paragraph(describe_sides(report.trained)), _to_html(_metrics(report))]
        parts += map(_to_paragraph, report.notes)
    pictures = [(what, Path(path)) for what, path in report.outputs.items() if str(path).endswith(".png")]
    parts += [_show_picture(what, path) for what, path in pictures if path.is_file()]
    parts.append(_to_paragraph(str(report.outputs.get("report", ""))))
    return "\n".join(parts)


def _rows(report: RunReport) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "stage": name,
                "in": f"{each.rows_in:,}",
                "out": f"{each.rows_out:,}",
                "cache": report.cache.get(name, ""),
                "thread-seconds": f"{report.seconds.get(name, 0.0):.2f}",
            }
            for name, each in report.ledgers.items()
        ]
    )


def _reasons(report: RunReport) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"stage": name, "rows dropped": f"{rows:,}", "why": why}
            for name, each in report.ledgers.items()
            for why, rows in each.dropped.items()
        ]
    )


def _metrics(report: RunReport) -> pd.DataFrame:
    names = ("accuracy", "precision", "recall", "f1", "specificity", "balanced_accuracy", "mcc")
    return pd.DataFrame(
        [
            {"classifier": each.classifier, **{name: f"{getattr(each.metrics, name):.4f}" for name in names}}
            for each in report.fitted
        ]
    )


def _to_paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _to_html(table: pd.DataFrame) -> str:
    return table.to_html(index=False, border=0)


def _show_picture(what: str, path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(what)}" width="{_WIDTH_PX}" src="data:image/png;base64,{data}">'
