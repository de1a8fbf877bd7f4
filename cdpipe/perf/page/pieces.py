"""Pieces that all pictures of the page have: the values behind a template, and what templates call."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import quote

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.plain import show_plain

CLASSES: Final = {bound: bound.name.lower() for bound in Bound}
"""The CSS class that colours what is bound so."""

FOLDED_ROWS: Final = 60
"""From how many rows on a table waits behind a line to click: the page of a large suite must stay usable."""

_BREAKS: Final = re.compile(r"(?<=[/_.=])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A section of the page that is drawn: its title, its `id`, and the template that draws it."""

    template: ClassVar[str]
    title: str
    place: str


def address_graph(benchmark: str) -> str:
    """Return the address of asv's own graph of a benchmark, seen from the page."""
    # Not `../#...`: a browser that opened the site from a folder would list it.
    return f"../index.html#{quote(benchmark, safe='')}"


def split_name(name: str) -> list[str]:
    """Split a name where a narrow column may break it."""
    return _BREAKS.split(show_plain(name))


def list_classes(bounds: Iterable[Bound]) -> str:
    """List the CSS classes of a stage's row or block, each once: by these the filter finds it."""
    return " ".join(dict.fromkeys(CLASSES[bound] for bound in bounds))
