"""The report as one web page: nothing loaded from elsewhere, light and dark, narrow and wide, with or without script.

It is written beside asv's site and works from `file://` too. Every text from the results is escaped, and no link is
made of anything but a benchmark's percent-encoded name. The one script only filters; the page's policy names its hash,
so that no other can run.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Report
from cdpipe.perf.page.history import draw_history
from cdpipe.perf.page.pieces import CLASSES, list_lines, show_chip, show_text, write_section
from cdpipe.perf.page.plots import draw_scalings
from cdpipe.perf.page.stages import draw_matrix, draw_shares
from cdpipe.perf.report.sections import lay_out, name_subject

_PICTURES: Final = (
    ("matrix", "Matrix", draw_matrix),
    ("shares", "Where the time goes", draw_shares),
    ("growth", "Growth", draw_scalings),
    ("history", "History", draw_history),
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
    """
    summary, *rest = lay_out(report)
    named = [(subject, name_subject(subject, report)) for subject in report.subjects]
    pictures = {
        kind: [draw(subject, name, f"{kind}-{number}") for number, (subject, name) in enumerate(named)]
        for kind, _, draw in _PICTURES
    }
    body = [
        f'<section aria-label="Summary">{list_lines(summary.lines)}</section>',
        _write_contents(pictures),
        _write_filter(report),
        *(picture for drawn in pictures.values() for picture in drawn if picture),
        '<div id="tables">',
        *(write_section(section, f"table-{number}") for number, section in enumerate(rest)),
        "</div>",
    ]
    return _fill_template(f"Bottlenecks of {project}" if project else "Bottlenecks", "\n".join(body))


def _fill_template(title: str, body: str) -> str:
    folder = files("cdpipe.perf.page") / "templates"
    template, style, script = (
        folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    texts = {"hash": digest, "style": style, "script": script, "title": show_text(title), "body": body}
    # In one pass: nothing that is put in is taken for a place of the template.
    return re.sub(r"\{\{([a-z]+)\}\}", lambda place: texts[place[1]], template)


def _write_contents(pictures: Mapping[str, Sequence[str]]) -> str:
    """Link the first picture of each kind, and the tables."""
    first = {kind: next((at for at, picture in enumerate(drawn) if picture), None) for kind, drawn in pictures.items()}
    links = [f'<a href="#{kind}-{first[kind]}">{title}</a>' for kind, title, _ in _PICTURES if first[kind] is not None]
    return f'<nav class="contents" aria-label="On this page">{" ".join(links)} <a href="#tables">Tables</a></nav>'


def _write_filter(report: Report) -> str:
    """Write the filter, hidden until the script shows it; without script the classes alone, as a legend."""
    findings = [finding for subject in report.subjects for finding in subject.findings]
    counted = Counter(finding.bound for finding in findings)
    present = [bound for bound in Bound if counted[bound]]
    names = {bound: str(bound) for bound in present}
    lacking = {finding.probed for finding in findings if finding.bound is Bound.INSUFFICIENT}
    if False in lacking:
        names[Bound.INSUFFICIENT] = f"{Bound.INSUFFICIENT} or {_NOT_PROBED}" if True in lacking else _NOT_PROBED
    boxes = "".join(
        f'<label class="chip {CLASSES[bound]}"><input type="checkbox" value="{CLASSES[bound]}"> '
        f"{show_text(names[bound])} ({counted[bound]:,})</label>"
        for bound in present
    )
    legend = "".join(f"<li>{show_chip(bound)}</li>" for bound in present)
    return (
        '<form id="filter" role="search" hidden>'
        '<label>Stage <input type="search" autocomplete="off" spellcheck="false"></label>'
        f"<fieldset><legend>Classes</legend>{boxes}</fieldset>"
        '<button type="reset">Clear</button><output role="status"></output></form>\n'
        f'<noscript><ul class="legend" aria-label="Classes">{legend}</ul></noscript>'
    )
