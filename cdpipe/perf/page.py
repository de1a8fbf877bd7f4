"""The report as one web page: no script, nothing loaded from elsewhere, light and dark, narrow and wide.

It is written beside asv's site and works from `file://` too. Every text from the results is escaped, and no link is
made of anything but a benchmark's percent-encoded name.
"""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Final
from urllib.parse import quote

from cdpipe.perf.bottlenecks import Bound
from cdpipe.perf.cells import Cell
from cdpipe.perf.findings import Finding, Report, Subject
from cdpipe.perf.quantities import format_quantity
from cdpipe.perf.report import show_plain
from cdpipe.perf.sections import Item, Listing, Section, Table, lay_out, name_subject

_CLASSES: Final = {bound: bound.name.lower() for bound in Bound}


def render_page(report: Report, *, project: str) -> str:
    """Write a report as a web page for the folder `bottlenecks/` of asv's site.

    Parameters
    ----------
    report
        What to show.
    project
        Whose benchmarks they are.
    """
    summary, *rest = lay_out(report)
    parts = [
        f"<section>{_lines(summary.lines)}</section>",
        _legend(),
        *(_matrix(subject, name_subject(subject, report)) for subject in report.subjects),
        *(_section(section) for section in rest),
    ]
    template = files("cdpipe.perf").joinpath("page.html").read_text(encoding="utf-8")
    title = f"Bottlenecks of {project}" if project else "Bottlenecks"
    # The body goes in last: nothing in it is taken for a place of the template.
    return template.replace("{{title}}", _text(title)).replace("{{body}}", "\n".join(part for part in parts if part))


def _text(text: str) -> str:
    return escape(show_plain(text), quote=True)


def _link(text: str, benchmark: str) -> str:
    if not benchmark:
        return _text(text)
    # Not `../#...`: a browser that opened the site from a folder would list it.
    return f'<a href="../index.html#{quote(benchmark, safe="")}">{_text(text)}</a>'


def _legend() -> str:
    names = "".join(f'<li class="{_CLASSES[bound]}">{_text(bound)}</li>' for bound in Bound)
    return f'<ul class="legend" aria-label="Classes">{names}</ul>'


def _matrix(subject: Subject, name: str) -> str:
    """Draw stages against sizes; nothing where no benchmark has sizes."""
    sized = [finding for finding in subject.findings if finding.cell.rows is not None]
    if not sized:
        return ""
    sizes = {finding.cell.rows: finding.cell.rows_text for finding in sized}
    columns = sorted(sizes, key=lambda rows: rows or 0)
    grouped: dict[str, dict[int | None, Finding]] = {}
    for finding in sized:
        grouped.setdefault(finding.cell.title, {})[finding.cell.rows] = finding
    head = "".join(f'<th scope="col">{_text(sizes[rows])}</th>' for rows in columns)
    body = "\n".join(
        f'<tr><th scope="row">{_text(title)}</th>{"".join(_square(by_rows.get(rows)) for rows in columns)}</tr>'
        for title, by_rows in grouped.items()
    )
    title = _text(f"Stages by rows on {name}")
    table = f"<thead><tr><th>Stage</th>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return f"<section>\n<h2>{title}</h2>\n{_wide(table, kind='matrix')}\n</section>"


def _square(finding: Finding | None) -> str:
    if finding is None:
        return '<td class="empty"></td>'
    bound = finding.verdict.bound
    cell: Cell = finding.cell
    seconds = cell.figures.get("seconds")
    taken = format_quantity(seconds.value, "s") if seconds else ""
    benchmark = (seconds or next(iter(cell.figures.values()))).benchmark
    return f'<td class="{_CLASSES[bound]}">{_link(bound, benchmark)}<small>{_text(taken)}</small></td>'


def _lines(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul>"


def _wide(table: str, *, kind: str = "figures") -> str:
    # Focusable, so that the keyboard can scroll what does not fit a narrow window.
    return f'<div class="wide" tabindex="0"><table class="{kind}">{table}</table></div>'


def _section(section: Section) -> str:
    parts = [f"<h2>{_text(section.title)}</h2>"]
    if section.lines:
        parts.append(_lines(section.lines))
    if section.table is not None:
        parts.append(_wide(_table(section.table)))
    parts += [_listing(listing) for listing in section.listings]
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _table(table: Table) -> str:
    kinds = [' class="number"' if numeric else "" for numeric in table.numeric]
    head = "".join(
        f'<th scope="col"{kind}>{_text(title)}</th>' for title, kind in zip(table.titles, kinds, strict=True)
    )
    rows = "\n".join(
        f"<tr>{''.join(_item(item, kind) for item, kind in zip(row, kinds, strict=True))}</tr>" for row in table.rows
    )
    return f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>"


def _item(item: Item, kind: str) -> str:
    colour = f' class="{_CLASSES[item.bound]}"' if item.bound else kind
    return f"<td{colour}>{_link(item.text, item.benchmark)}</td>"


def _listing(listing: Listing) -> str:
    badge = f'<span class="badge {_CLASSES[listing.bound]}">{_text(listing.bound)}</span>'
    return f"<p>{badge} {_text(listing.line)}</p>\n{_lines(listing.points)}"
