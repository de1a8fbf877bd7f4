"""The terminal's report of a comparison."""

from rich.console import Console
from rich.text import Text

from cdpipe.perf.gate.outcome import Outcome, Status
from cdpipe.perf.gate.reporting.wording import TITLES, describe_rules, explain_row, list_remarks, list_texts
from cdpipe.perf.report.document import Item, Section, tabulate
from cdpipe.perf.report.render import print_section
from cdpipe.plain import show_plain

_STYLES = {
    Status.PASSED: "bold green",
    Status.REGRESSION: "bold red",
    Status.NOT_MEASURED: "bold yellow",
    Status.INVALID: "bold yellow",
}


def print_outcome(outcome: Outcome, console: Console) -> None:
    """Print a comparison: a table, the worst first, and a sentence on each that is not simply the same."""
    rows = [tuple(map(Item, list_texts(row))) for row in outcome.rows]
    remarkable = [row for row in outcome.rows if row.decision.has_changed or row.decision.is_open]
    print_section(
        Section(
            f"{outcome.base.short} ({outcome.base.name}) against {outcome.head.short} ({outcome.head.name})",
            table=tabulate(TITLES, rows) if rows else None,
            lines=tuple(f"{row.series.name}: {explain_row(row)}" for row in remarkable),
            notes=(*list_remarks(outcome), *outcome.design, describe_rules(outcome)),
        ),
        console,
    )
    console.print(Text(show_plain(f"{outcome.headline} (exit status {outcome.status})"), style=_STYLES[outcome.status]))
