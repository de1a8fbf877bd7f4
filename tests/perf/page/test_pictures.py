"""The page's plots, strips and colours: they show the figures, and can be told apart and read."""

import re
from importlib.resources import files

import pytest

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.page.history import find_runs
from cdpipe.perf.page.page import render_page
from cdpipe.perf.report.render import build_report

from ..results_writing import SHARES, attributed_suite, write_history


def cut_section(html, place):
    """Return a section of the page by its `id`."""
    found = html.partition(f'<section id="{place}"')[2].partition("</section>")[0]
    assert found
    return found


def test_plots_draw_the_fit_through_the_points(writer):
    attributed_suite().write(writer)
    report = build_report(writer.path)
    (subject,) = report.subjects
    html = cut_section(render_page(report, project="x"), "growth-0")
    figures = html.split("<figure")[1:]
    assert len(figures) == len(subject.scalings)
    for scaling, figure in zip(subject.scalings, figures, strict=True):
        marks = [tuple(map(float, pair)) for pair in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', figure)]
        assert len(marks) == len(scaling.points)
        (ends,) = re.findall(r'class="fit" points="([\d.-]+),([\d.-]+) ([\d.-]+),([\d.-]+)"', figure)
        left, at_left, right, at_right = map(float, ends)
        slope = (at_right - at_left) / (right - left)
        # These are exact power laws but for the peaks of memory, which differ by 5 %.
        off = [abs(at_left + slope * (x - left) - y) for x, y in marks]
        assert max(off) < (0.2 if scaling.figure == "seconds" else 8)
        assert scaling.fit.text in figure
        assert (' class="declared"' in figure) == bool(scaling.order)
        assert ("warned" in figure) == (scaling.title == "attack/swap_rand" and scaling.figure == "seconds")


def test_the_history_shows_each_run_of_commits(writer):
    write_history(writer, 9)
    report = build_report(writer.path)
    (subject,) = report.subjects
    assert find_runs(subject.history, 0) == ((Bound.COMPUTE, 0, 4), (Bound.DISK, 4, 5))
    html = cut_section(render_page(report, project="x"), "history-0")
    assert "compute-bound: 00000001 of 2026-11-22 to 00000004 of 2026-11-25, 4 commits; disk-bound: 00000005" in html
    assert html.count("disk-bound: ") == 2  # one row for all sizes, which changed together: its label and its title
    assert "since 00000005 of 2026-11-26" in html


def test_one_commit_has_no_history(writer):
    attributed_suite().write(writer)
    html = render_page(build_report(writer.path), project="x")
    assert 'id="growth-0"' in html
    assert "history-0" not in html


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_class_has_a_colour_of_its_own_that_text_can_be_read_on(theme):
    style = files("cdpipe.perf.page").joinpath("templates", "page.css").read_text()
    light, _, dark = style.partition("prefers-color-scheme: dark")
    named = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", light if theme == "light" else dark))
    used = [named[bound.name.lower()] for bound in Bound]
    assert len(set(used)) == len(Bound)
    assert min(contrast(colour, named["ink"]) for colour in used) > 4.5
    for text in ("text", "faint", "link", "warn"):
        assert contrast(named[text], named["back"]) > 4.5
    for bound in Bound:
        assert f".{bound.name.lower()} {{ background: var(--{bound.name.lower()}); }}" in style
    for share in SHARES:
        assert f".share-{share} {{ background: " in style


def contrast(one, other):
    """Of two colours, by WCAG 2.2: from 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
