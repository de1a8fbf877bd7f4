"""The pieces that the web page is put together from; every text from the results passes through `show_text`."""

import re
from collections.abc import Iterable
from html import escape
from typing import Final
from urllib.parse import quote

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.plain import show_plain

CLASSES: Final = {bound: bound.name.lower() for bound in Bound}
"""The CSS class that colours what is bound so."""

FOLDED_ROWS: Final = 60
"""From how many rows on a table waits behind a line to click: the page of a large suite must stay usable."""


def show_text(text: str) -> str:
    """Escape a text for the page, with what does not print shown as escapes."""
    return escape(show_plain(text), quote=True)


def link_benchmark(text: str, benchmark: str) -> str:
    """Link a text to asv's own graph of a benchmark; the text alone where there is none."""
    if not benchmark:
        return break_name(text)
    # Not `../#...`: a browser that opened the site from a folder would list it.
    return f'<a href="../index.html#{quote(benchmark, safe="")}">{break_name(text)}</a>'


def break_name(name: str) -> str:
    """Escape a name, with places at which a narrow column may break it."""
    return re.sub(r"([/_.=])", r"\1<wbr>", show_text(name))


def show_chip(bound: Bound, label: str = "") -> str:
    """Write a class on its colour."""
    return f'<span class="chip {CLASSES[bound]}">{show_text(label or bound)}</span>'


def mark_filtered(bounds: Iterable[Bound]) -> str:
    """Write the attribute by which the filter finds a stage's row or block, with the classes that are in it."""
    return f'data-bounds="{" ".join(dict.fromkeys(CLASSES[bound] for bound in bounds))}"'


def list_lines(lines: Iterable[str]) -> str:
    """Write lines as a list."""
    return f"<ul>{''.join(f'<li>{show_text(line)}</li>' for line in lines)}</ul>"


def widen(table: str, *, label: str, kind: str = "figures") -> str:
    """Put a table's rows in a frame of its own, which the keyboard can scroll where the window is narrow."""
    name = show_text(f"Table: {label}")  # its section has the name alone
    return (
        f'<div class="wide" role="region" aria-label="{name}" tabindex="0"><table class="{kind}">{table}</table></div>'
    )


def fold(content: str, count: int, what: str) -> str:
    """Put content behind a line to click where it is of many rows."""
    if count <= FOLDED_ROWS:
        return content
    return f'<details class="fold"><summary>All {count:,} {what}</summary>\n{content}\n</details>'


def head_section(title: str, place: str, content: str) -> str:
    """Write a section with a title that a link can go to."""
    head = f'<h2 id="{place}-title">{show_text(title)}</h2>'
    return f'<section id="{place}" aria-labelledby="{place}-title">\n{head}\n{content}\n</section>'
