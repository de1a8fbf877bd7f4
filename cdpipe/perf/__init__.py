"""Performance: asv's results, and their meaning. Imports nothing else of cdpipe but its figures.

Everything public is a name of this package; it is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdpipe.perf.analysis.findings import build_report as build_report
    from cdpipe.perf.page.page import render_page as render_page
    from cdpipe.perf.report.render import render_json as render_json
    from cdpipe.perf.report.render import render_markdown as render_markdown
    from cdpipe.perf.report.render import render_text as render_text
    from cdpipe.perf.results.directory import open_results as open_results
    from cdpipe.perf.settings.settings import find_settings as find_settings
    from cdpipe.perf.settings.settings import read_settings as read_settings

_PLACES = {
    "build_report": "cdpipe.perf.analysis.findings",
    "render_text": "cdpipe.perf.report.render",
    "render_markdown": "cdpipe.perf.report.render",
    "render_json": "cdpipe.perf.report.render",
    "render_page": "cdpipe.perf.page.page",
    "open_results": "cdpipe.perf.results.directory",
    "find_settings": "cdpipe.perf.settings.settings",
    "read_settings": "cdpipe.perf.settings.settings",
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _PLACES:
        raise AttributeError(f"module 'cdpipe.perf' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
