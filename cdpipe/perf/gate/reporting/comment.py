"""The comment of a pull request: Markdown, the worst first, and never longer than GitHub takes."""

from collections.abc import Sequence
from typing import Final

from cdpipe.perf.gate.outcome import Outcome, Row, Status
from cdpipe.perf.gate.reporting.wording import TITLES, describe_rules, explain_row, list_remarks, list_texts
from cdpipe.perf.report.render import escape_markdown

LIMIT: Final = 65_000
"""Characters of a comment; GitHub refuses more than 65,536."""

MARK: Final = "<!-- cdpipe compare -->"
"""Stands in the first line, by which the comment is found again and edited in place."""

_LONGEST: Final = 600
_FENCE: Final = 200
"""Characters around a part that unfolds."""

_SIGNS: Final = {
    Status.PASSED: ":white_check_mark:",
    Status.REGRESSION: ":x:",
    Status.NOT_MEASURED: ":grey_question:",
    Status.INVALID: ":warning:",
}


def render_comment(outcome: Outcome, *, limit: int = LIMIT) -> str:
    """Write a comparison as GitHub-flavoured Markdown.

    Parameters
    ----------
    outcome
        The comparison.
    limit
        Characters that it may have. What does not fit is left out from the end, the best of the rows, and counted.

    Returns
    -------
    str
        Changes and open questions in sight, all else in parts that unfold.
    """
    head = [
        MARK,
        f"### {_SIGNS[outcome.status]} {_escape(outcome.headline)}",
        "",
        f"`{outcome.base.short}` against `{outcome.head.short}`, exit status {outcome.status.value}.",
        "",
    ]
    remarkable = [row for row in outcome.rows if row.decision.has_changed or row.decision.is_open]
    rest = [row for row in outcome.rows if row not in remarkable]
    tail = _fold("How it was measured and decided", [f"- {_escape(line)}" for line in _list_design(outcome)])
    room = limit - sum(len(line) + 1 for line in (*head, *tail)) - 500
    lines = list(head)
    for part in (
        _tabulate(remarkable),
        [f"- **{_escape(row.series.name)}**: {_escape(explain_row(row))}" for row in remarkable],
        [f"- {_escape(remark)}" for remark in list_remarks(outcome)],
    ):
        taken, room = _take(part, room)
        lines += [*taken, ""] if taken else []
    if outcome.output:
        text = outcome.output.replace("```", "~~~")[-max(1, room - _FENCE) :]
        lines += _fold("What the failing command wrote", ["```", text, "```"])
        room -= len(text) + _FENCE
    if rest:
        table, room = _take(_tabulate(rest), room)
        lines += _fold(f"{len(rest)} without a change", table)
    return "\n".join([*lines, *tail]).rstrip() + "\n"


def _list_design(outcome: Outcome) -> list[str]:
    return [*outcome.design, describe_rules(outcome)]


def _tabulate(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    titles, numeric = zip(*TITLES, strict=True)
    rule = ["--:" if number else "---" for number in numeric]
    body = [[_escape(text) for text in list_texts(row)] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in ([*titles], rule, *body)]


def _take(lines: Sequence[str], room: int) -> tuple[list[str], int]:
    """Return as many lines as there is room for, and a line that counts the others."""
    taken: list[str] = []
    for line in lines:
        if len(line) + 1 > room:
            return [*taken, "", f"*and {len(lines) - len(taken)} more lines, for which there is no room here*"], 0
        taken.append(line)
        room -= len(line) + 1
    return taken, room


def _fold(title: str, lines: Sequence[str]) -> list[str]:
    """Return a part that unfolds; the empty lines around it are what lets Markdown be read inside."""
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>", ""]


def _escape(text: str) -> str:
    """Return a text in one line, escaped, and no longer than a reader bears."""
    line = " ".join(text.split())
    return escape_markdown(line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …")
