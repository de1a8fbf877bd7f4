"""asv plugin: `asv publish` also writes and links the bottleneck report, and finds steps in history that asv misses.

Named in `asv.conf.json` as `".cdpipe.perf.asv_plugin"`: without the leading dot asv looks for it among its own
plugins and says nothing when it is not there. asv's pages are fixed in its `index.html`, so the link is written into
the copy that `asv publish` has just made.
"""

import math
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from asv.console import log
from asv.publishing import OutputPublisher

from cdpipe.perf.analysis.findings import build_report
from cdpipe.perf.analysis.steps import find_levels
from cdpipe.perf.page.offline import serve_locally
from cdpipe.perf.page.page import render_page
from cdpipe.perf.report.render import render_json, render_markdown
from cdpipe.perf.results.model import ResultsError

FOLDER: Final = "bottlenecks"
_LINK: Final = f'<li id="nav-li-{FOLDER}"><a href="{FOLDER}/index.html">Bottlenecks</a></li>'
_WAY_OUT: Final = f'<p>This page needs no scripts: <a href="{FOLDER}/index.html">Bottlenecks</a>.</p>'
_LAST_PAGE: Final = re.compile(r'^.*<li id="nav-li-regressions">.*</li>[ \t]*$', re.MULTILINE)


class Steps(OutputPublisher):  # type: ignore[misc] # asv has no types
    """Gives asv's lists of changes and regressions the steps of `find_levels`, before they are written."""

    name = "steps"
    button_label = "Steps"
    description = "Where levels changed"
    order = -1  # ahead of asv's own publishers, which read the steps

    @classmethod
    def publish(cls, conf: Any, repo: Any, benchmarks: Any, graphs: Any, revisions: Any) -> None:  # noqa: ANN401, ARG003
        """Replace the steps of all graphs; those of a graph that cannot be read so stay asv's."""
        for _, graph in graphs:
            try:
                replace_steps(graph)
            except Exception as error:  # noqa: BLE001 # a fault of ours must not cost the site
                log.warning(f"{graph.path}: steps are asv's own: {type(error).__name__}: {error}")


class Bottlenecks(OutputPublisher):  # type: ignore[misc] # asv has no types
    """Writes `bottlenecks/` (`index.html`, `bottlenecks.md`, `bottlenecks.json`) into the site."""

    name = FOLDER
    button_label = "Bottlenecks"
    description = "What bounds each stage, and what to do"
    order = 10

    @classmethod
    def publish(cls, conf: Any, repo: Any, benchmarks: Any, graphs: Any, revisions: Any) -> None:  # noqa: ANN401, ARG003
        """Write the pages; whatever the results are, asv's site is published all the same, and works offline."""
        html_dir = Path(conf.html_dir)
        try:
            write_pages(Path(conf.results_dir), html_dir, project=str(conf.project or ""))
        except (ResultsError, OSError) as error:
            log.warning(f"No bottleneck report: {error}")
        except Exception as error:  # noqa: BLE001 # a fault of the report must not cost the site
            log.error(f"No bottleneck report, by a fault in cdpipe.perf: {type(error).__name__}: {error}")
        try:
            keep_scripts(html_dir)
        except OSError as error:
            log.warning(f"asv's pages need a network: {error}")


def replace_steps(graph: Any) -> None:  # noqa: ANN401 - asv has no types
    """Replace the steps of one of asv's graphs, which has a series for each combination of parameters."""
    points = graph.get_data()
    if not points:
        return
    revisions = [point[0] for point in points]
    lines = [[point[1]] if graph.scalar_series else point[1] for point in points]
    table = np.array([[math.nan if value is None else value for value in line] for line in lines], dtype=np.float64)
    graph._steps = [  # asv has no other way in
        [
            (revisions[each.start], revisions[each.stop - 1] + 1, each.value, each.least, each.deviation)
            for each in find_levels(series)
        ]
        for series in table.T
    ]


def write_pages(results_dir: Path, html_dir: Path, *, project: str) -> None:
    """Write the report on the newest results into a published site and link it.

    Raises
    ------
    ResultsError
        If the results cannot be read.
    OSError
        If the site cannot be written.
    """
    report = build_report(results_dir)
    folder = html_dir / FOLDER
    folder.mkdir(exist_ok=True)
    texts = {
        "index.html": render_page(report, project=project),
        "bottlenecks.md": render_markdown(report),
        "bottlenecks.json": render_json(report),
    }
    encoded = {name: text.encode() for name, text in texts.items()}  # all or none
    for name, data in encoded.items():
        (folder / name).write_bytes(data)
    add_link(html_dir / "index.html")
    add_way_out(html_dir / "error.html")


def keep_scripts(html_dir: Path) -> None:
    """Have asv's pages load their scripts from beside them, and warn of those without a copy.

    Raises
    ------
    OSError
        If the site cannot be read or written.
    """
    for address in serve_locally(html_dir):
        log.warning(f"asv's pages load {address}, of which there is no copy: without a network they show an error")


def add_way_out(page: Path) -> None:
    """Link the report from asv's error page, which is shown where a script cannot be loaded; once only.

    Raises
    ------
    OSError
        If the page cannot be read or written.
    """
    if not page.exists():
        return
    text = page.read_text(encoding="utf-8")
    if _WAY_OUT not in text and "</body>" in text:
        page.write_text(text.replace("</body>", f"  {_WAY_OUT}\n  </body>", 1), encoding="utf-8")


def add_link(index: Path) -> None:
    """Add the report's link to asv's navigation, after its last page; once only.

    Raises
    ------
    OSError
        If the page cannot be read or written.
    """
    text = index.read_text(encoding="utf-8")
    if _LINK in text:
        return
    linked, count = _LAST_PAGE.subn(lambda match: f"{match[0]}\n\t{_LINK}", text, count=1)
    if count == 0:
        log.warning(f"{index}: asv's navigation has changed; open {FOLDER}/index.html by its address")
        return
    index.write_text(linked, encoding="utf-8")
