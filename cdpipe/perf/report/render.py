"""The bottleneck report, for a terminal, as Markdown and as JSON; `build_report` is the core, the rest writes it.

Names come from other people's benchmarks: control characters in them are shown as escapes, and each format's
own signs are escaped.
"""

import io
import json
import re
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Report, Rules, build_report
from cdpipe.perf.report.as_data import describe_report
from cdpipe.perf.report.brief import LINES, lay_brief
from cdpipe.perf.report.document import NONE, Section, Table
from cdpipe.perf.report.sections import lay_out
from cdpipe.perf.wording.wrapping import find_narrowest, share_width, wrap_text
from cdpipe.plain import show_plain

__all__ = ["Report", "Rules", "build_report", "render_brief", "render_json", "render_markdown", "render_text"]

_TEXT_ROWS: Final = 200
_WIDE: Final = 100
_STYLES: Final = {
    Bound.COMPUTE: "yellow",
    Bound.MEMORY: "magenta",
    Bound.IO: "blue",
    Bound.DISK: "blue",
    Bound.NETWORK: "cyan",
    Bound.SERIALISATION: "bright_blue",
    Bound.SCHEDULER: "red",
    Bound.LOCK: "bright_red",
    Bound.WAITING: "bright_magenta",
    Bound.PARALLELISM: "bright_yellow",
    Bound.DISTURBED: "bold red",
    Bound.MIXED: "bright_green",
    Bound.BALANCED: "green",
    Bound.INSUFFICIENT: "dim",
}
_MARKDOWN_SIGNS: Final = re.compile(r"([\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w))")


def render_text(report: Report, console: Console) -> None:
    """Print a report whole; it reads well from 80 columns on, with and without colour.

    A table longer than 200 rows is cut, and says so; the other formats have all rows.

    Examples
    --------
    >>> from pathlib import Path
    >>> from cdpipe.perf import build_report
    >>> with open("report.txt", "w") as file:
    ...     render_text(build_report(Path(".asv/results")), Console(file=file, width=80))
    >>> Path("report.txt").read_text().startswith("Bottlenecks")
    True
    """
    for section in lay_out(report):
        print_section(section, console)


def render_brief(report: Report, console: Console, *, rest: str) -> None:
    """Print what matters most of a report, in 45 lines of 80 columns for most, and last where the rest is.

    Parameters
    ----------
    report, console
        What to print, and where.
    rest
        A line on where the rest is.
    """
    line = _indent(rest, 0)
    room = LINES - len(console.render_lines(line))
    for section in lay_brief(report, lambda section: _count_lines(section, console), lines=room):
        print_section(section, console)
    console.print(line)


def _count_lines(section: Section, console: Console) -> int:
    text = io.StringIO()
    print_section(section, Console(file=text, width=console.width, color_system=None))
    return text.getvalue().count("\n")


def print_section(section: Section, console: Console) -> None:
    """Print a part of a report, and an empty line behind it."""
    console.print(Text(show_plain(section.title), style="bold"))
    for line in section.lines:
        console.print(_indent(line, 2))
    if section.table is not None:
        _print_table(section.table, console)
        hidden = len(section.table.rows) - _TEXT_ROWS
        if hidden > 0:
            console.print(Text(f"  and {hidden} more; the formats md and json have all of them"))
    for listing in section.listings:
        title = Text(str(listing.bound), style=_STYLES[listing.bound])
        console.print(
            Padding(title.append(f": {show_plain(listing.line)}", style="default"), (0, 0, 0, 2), expand=False)
        )
        for point in listing.points:
            console.print(_indent_point(point))
    for note in section.notes:
        console.print(_indent(note, 2, style="dim"))
    console.print()


def render_markdown(report: Report, *more: Section) -> str:
    """Write a report as GitHub-flavoured Markdown, and sections of one's own behind it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from cdpipe.perf import build_report
    >>> text = render_markdown(build_report(Path(".asv/results")))
    >>> text.startswith("# Bottlenecks")
    True
    """
    lines: list[str] = []
    for place, section in enumerate((*lay_out(report), *more)):
        lines += [f"{'#' if place == 0 else '##'} {escape_markdown(section.title)}", ""]
        lines += [f"- {escape_markdown(line)}" for line in section.lines]
        lines += [""] if section.lines else []
        lines += _tabulate(section) if section.table else []
        for listing in section.listings:
            lines += [f"**{listing.bound}**: {escape_markdown(listing.line)}", ""]
            lines += [*(f"- {escape_markdown(point)}" for point in listing.points), ""]
        lines += [part for note in section.notes for part in (f"*{escape_markdown(note)}*", "")]
    return "\n".join(lines).rstrip() + "\n"


def render_json(report: Report) -> str:
    """Write a report as JSON: every figure with its unit, interval, benchmark, machine and commit.

    Examples
    --------
    >>> from pathlib import Path
    >>> from cdpipe.perf import build_report
    >>> data = json.loads(render_json(build_report(Path(".asv/results"))))
    >>> len(data["subjects"])
    1
    """
    return json.dumps(describe_report(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _indent(text: str, columns: int, *, style: str = "") -> Padding:
    return Padding(Text(show_plain(text), style=style), (0, 0, 0, columns), expand=False)


def _indent_point(text: str) -> RichTable:
    """Set a point beside its dash, so that its further lines stand under the first."""
    grid = RichTable.grid(padding=(0, 0, 0, 0))
    grid.add_column(width=6)
    grid.add_column()
    grid.add_row("    -", Text(show_plain(text)))
    return grid


def _print_table(table: Table, console: Console) -> None:
    """Print a table, or where even narrow columns have no room a list: a name, and under it all that is known."""
    shown = [[show_plain(item.text) for item in row] for row in table.rows[:_TEXT_ROWS]]
    lengths = [[cell_len(text) for text in column] for column in zip(table.titles, *shown, strict=True)]
    # Between columns stand the box's own space and a gap, which a narrow terminal has no room for.
    gap = 1 if console.width >= _WIDE else 0
    if sum(find_narrowest(lengths, table.numeric)) <= console.width - (1 + gap) * len(lengths):
        console.print(_draw_table(table, shown, lengths, console.width, gap))
        return
    for name, *rest in shown:
        known = zip(table.titles[1:], rest, strict=True)
        console.print(_indent(name, 2))
        console.print(_indent("; ".join(f"{title} {text}" for title, text in known if text != NONE), 6))


def _draw_table(table: Table, shown: list[list[str]], lengths: list[list[int]], width: int, gap: int) -> RichTable:
    widths = share_width(lengths, table.numeric, width - (1 + gap) * len(lengths))
    drawn = RichTable(box=SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False)
    for title, numeric, given in zip(table.titles, table.numeric, widths, strict=True):
        drawn.add_column(title, justify="right" if numeric else "left", min_width=given, overflow="fold")
    for texts, row in zip(shown, table.rows, strict=False):
        wrapped = (wrap_text(text, given) for text, given in zip(texts, widths, strict=True))
        drawn.add_row(*(Text(t, style=_STYLES[i.bound] if i.bound else "") for t, i in zip(wrapped, row, strict=True)))
    return drawn


def escape_markdown(text: str) -> str:
    """Return a text whose signs Markdown leaves alone."""
    return _MARKDOWN_SIGNS.sub(r"\\\1", show_plain(text).replace("&", "&amp;"))


def _tabulate(section: Section) -> list[str]:
    table = section.table
    if table is None:
        return []
    rule = ["--:" if numeric else "---" for numeric in table.numeric]
    rows = [[escape_markdown(item.text) for item in row] for row in table.rows]
    return [*(f"| {' | '.join(row)} |" for row in ([*table.titles], rule, *rows)), ""]
