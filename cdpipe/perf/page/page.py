"""The report as one web page: nothing loaded from elsewhere, light and dark, narrow and wide, with or without script.

It is written beside asv's site and works from `file://` too. Every text from the results is escaped, and no link is
made of anything but a benchmark's percent-encoded name. The one script only filters; the page's policy names its hash,
so that no other can run.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Report, Subject
from cdpipe.perf.page.history import lay_history
from cdpipe.perf.page.pieces import CLASSES, FOLDED_ROWS, Picture, address_graph, list_classes, split_name
from cdpipe.perf.page.plots import lay_scalings
from cdpipe.perf.page.stages import lay_matrix, lay_shares
from cdpipe.perf.report.sections import lay_out, name_subject
from cdpipe.perf.report.summary import say_busy
from cdpipe.plain import show_plain

_PICTURES: Final[tuple[tuple[str, str, Callable[[Subject, str, str], Picture | None]], ...]] = (
    ("matrix", "Matrix", lay_matrix),
    ("shares", "Where the time goes", lay_shares),
    ("growth", "Growth", lay_scalings),
    ("history", "History", lay_history),
)
_NOT_PROBED: Final = "not probed"


def render_page(report: Report, *, project: str) -> str:
    """Write a report as a web page for the folder `bottlenecks/` of asv's site.

    Parameters
    ----------
    report
        What to show.
    project
        Whose benchmarks they are.

    Examples
    --------
    >>> from pathlib import Path
    >>> from cdpipe.perf import build_report
    >>> page = render_page(build_report(Path(".asv/results")), project="sorting")
    >>> "Bottlenecks of sorting" in page
    True
    """
    summary, *rest = lay_out(report)
    named = [(subject, name_subject(subject, report)) for subject in report.subjects]
    pictures = {
        kind: [lay(subject, name, f"{kind}-{number}") for number, (subject, name) in enumerate(named)]
        for kind, _, lay in _PICTURES
    }
    busy = say_busy(report)
    script = _read("page.js")
    return (
        _open_templates()
        .get_template("page.html.j2")
        .render(
            title=f"Bottlenecks of {project}" if project else "Bottlenecks",
            style=_read("page.css"),
            script=script,
            digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            busy=busy,
            summary=[line for line in summary.lines if line != busy],
            contents=_list_contents(pictures),
            classes=_count_classes(report),
            pictures=[picture for every in pictures.values() for picture in every if picture],
            sections=rest,
        )
    )


@cache
def _open_templates() -> Environment:
    """Return the templates: all that they are given is escaped, with what does not print shown as escapes."""
    templates = Environment(
        loader=PackageLoader("cdpipe.perf.page", "templates"),
        autoescape=True,
        finalize=_show,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"classes": list_classes, "graph": address_graph, "parts": split_name}
    templates.globals |= {"css": CLASSES, "folded_rows": FOLDED_ROWS}
    return templates


def _show(value: object) -> object:
    """Show a text's characters that do not print as escapes; templates' own output, style and script are no texts."""
    return show_plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _read(name: str) -> str:
    return files("cdpipe.perf.page").joinpath("templates", name).read_text(encoding="utf-8")


def _list_contents(pictures: Mapping[str, Sequence[Picture | None]]) -> list[tuple[str, str]]:
    """List the first picture of each kind: where it is, and its name."""
    first = {kind: next(filter(None, every), None) for kind, every in pictures.items()}
    return [(found.place, title) for kind, title, _ in _PICTURES if (found := first[kind])]


def _count_classes(report: Report) -> list[dict[str, Any]]:
    """List the classes that are there, for the filter; without script they are a legend."""
    findings = [finding for subject in report.subjects for finding in subject.findings]
    counted = Counter(finding.bound for finding in findings)
    names = {bound: str(bound) for bound in Bound if counted[bound]}
    lacking = {finding.probed for finding in findings if finding.bound is Bound.INSUFFICIENT}
    if False in lacking:
        names[Bound.INSUFFICIENT] = f"{Bound.INSUFFICIENT} or {_NOT_PROBED}" if True in lacking else _NOT_PROBED
    return [
        {"bound": bound, "css": CLASSES[bound], "name": name, "count": f"{counted[bound]:,}"}
        for bound, name in names.items()
    ]
