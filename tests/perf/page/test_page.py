"""The web page and the asv plugin: well formed, escaped, complete, and never in asv's way."""

import ast
import base64
import hashlib
import json
import re
import shutil
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from cdpipe.perf.asv_plugin import Bottlenecks, add_link, write_pages
from cdpipe.perf.page import page as page_module
from cdpipe.perf.page.page import render_page
from cdpipe.perf.page.pieces import FOLDED_ROWS
from cdpipe.perf.report.render import build_report

from ..results_writing import OWN, Suite, attributed_suite, benchmark, full_suite, row, write_history

_VOID = {"meta", "link", "br", "img", "input", "hr", "wbr"}
_HOSTILE = ['b.<script>alert("1")</script>', "b.'onclick=x", "b.{{body}}", "b.&amp;", "b.ü?#/%", "b.\x1b[31m"]


class Page(HTMLParser):
    """Collects tags, links and text; fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.links, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.links += [value for name, value in attrs if name in {"href", "src"}]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def linked_benchmarks(page):
    return {unquote(link.partition("#")[2]) for link in page.links if link.startswith("../index.html#")}


def written(writer, **details):
    full_suite().write(writer, **details)
    return render_page(build_report(writer.path, settings=OWN), project="demo")


def hostile(writer):
    entries = [benchmark(name, cdpipe_stage=name, params=[["'1M'"]], param_names=["rows"]) for name in _HOSTILE]
    writer.benchmarks(*entries)
    writer.machine("box<img src=x>")
    writer.run({name: row([1.0], params=[["'1M'"]]) for name in _HOSTILE}, machine="box<img src=x>")


def conf_of(writer, html_dir):
    return SimpleNamespace(results_dir=str(writer.path), html_dir=str(html_dir), project="demo")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of the page that `asv publish` starts from."""
    import asv

    folder = tmp_path / "html"
    folder.mkdir()
    shutil.copy(Path(asv.__file__).parent / "www" / "index.html", folder)
    return folder


def test_the_page_is_well_formed_and_whole(writer):
    page = Page(written(writer))
    text = " ".join(page.text)
    for said in (
        "Bottlenecks of demo",
        "scheduler-bound",
        "T1 spatial filter, 10M rows",
        "missed",
        "1.02 [0.96, 1.08]",
    ):
        assert said in text
    classes = [attributes.get("class") for tag, attributes in page.tags if tag == "td"]
    for name in ("compute", "memory", "io", "scheduler", "balanced"):
        assert classes.count(name) == 6  # three sizes, in the matrix and in the table
    assert sum(tag == "h1" for tag, _ in page.tags) == 1


def test_the_page_needs_nothing_from_elsewhere(writer):
    html = written(writer)
    page = Page(html)
    assert not [tag for tag, _ in page.tags if tag in {"img", "iframe", "object"}]
    allowed = re.compile(r"data:,|\.\./index\.html(#.*)?|bottlenecks\.(md|json)|#[a-z]+(-\d+)*")
    assert all(allowed.fullmatch(link) for link in page.links)
    assert "url(" not in html
    assert "@import" not in html
    assert "prefers-color-scheme: dark" in html
    assert any(a.get("name") == "viewport" for tag, a in page.tags if tag == "meta")


def test_only_the_page_s_own_script_may_run(writer):
    hostile(writer)
    html = render_page(build_report(writer.path, settings=OWN), project="x")
    page = Page(html)
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}]
    script = html.partition("<script>")[2].partition("</script>")[0]
    (policy,) = (a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert "innerHTML" not in script


def test_links_within_the_page_lead_somewhere_and_ids_are_unique(writer):
    write_history(writer, 3)
    page = Page(render_page(build_report(writer.path, settings=OWN), project="x"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert len(inner) > 10
    assert inner <= set(ids)


def test_every_part_of_a_bar_says_its_share_and_leads_to_its_evidence(writer):
    attributed_suite(gather_disk=0.75).write(writer)
    html = render_page(build_report(writer.path, settings=OWN), project="x")
    parts = [a for tag, a in Page(html).tags if tag == "a" and a.get("class", "").startswith("share-")]
    disk = [a for a in parts if a["class"] == "share-disk"]
    assert disk[1]["aria-label"] == "disk 75 %, 225 ms of 300 ms: waiting for the disk"
    widths = {}
    for part in parts:
        growth = float(part["style"].removeprefix("flex-grow:"))
        widths[part["href"]] = widths.get(part["href"], 0.0) + growth
    assert len(widths) == 6  # the evidence is the same for all sizes
    assert all(width == pytest.approx(4.0, abs=0.005) for width in widths.values())
    place = disk[-1]["href"][1:]
    evidence = html.partition(f'id="{place}"')[2].partition("</div>")[0]
    assert "100k, 1M, 5M, 10M disk-bound: the slots wait for the disk (A301)" in evidence
    assert "half of it gone, and the run is 1.6 times as fast" in evidence
    assert "read Parquet, not CSV or JSON" in evidence


def test_long_tables_wait_behind_a_line(writer):
    suite = Suite()
    for place in range(FOLDED_ROWS + 1):
        for share, value in (("compute", 0.9), ("idle", 0.1)):
            suite.add(f"stage{place}", f"share_{share}", (value, value), sizes=("1M", "5M"))
        suite.add(f"stage{place}", "seconds", (1.0, 5.0), sizes=("1M", "5M"))
    suite.write(writer)
    html = render_page(build_report(writer.path, settings=OWN), project="x")
    Page(html)
    assert f"<summary>All {FOLDED_ROWS + 1} stages</summary>" in html
    assert html.count('<details class="fold">') >= 4  # the matrix, the bars, the plots and the table


def test_each_cell_of_the_matrix_links_to_asv_s_graph(writer):
    page = Page(written(writer))
    named = linked_benchmarks(page)
    assert {"suite.gather.time_seconds", "suite.cache.track_hit_rate", "suite.attack_offset_rand.time_seconds"} <= named


@pytest.mark.parametrize(
    ("figures", "label"),
    [
        ({"seconds": 1.0}, "not probed (1)"),
        ({"cpu_percent": 50.0}, "insufficient data (1)"),
        ({"seconds": 1.0, "cpu_percent": 50.0}, "insufficient data or not probed (2)"),
    ],
)
def test_the_filter_says_which_stages_were_not_probed_at_all(writer, figures, label):
    suite = Suite()
    for place, (figure, value) in enumerate(figures.items()):
        suite.add(f"stage{place}", figure, (value,))
    suite.write(writer)
    assert f'value="insufficient"> {label}</label>' in render_page(
        build_report(writer.path, settings=OWN), project="demo"
    )


def test_hostile_names_stay_text(writer):
    hostile(writer)
    page = Page(render_page(build_report(writer.path, settings=OWN), project="<i>demo</i> {{body}} {{script}}"))
    assert "Bottlenecks of <i>demo</i> {{body}} {{script}}" in page.text
    assert not [tag for tag, _ in page.tags if tag in {"img", "i"}]
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    text = "".join(page.text)
    for name in _HOSTILE[:-1]:
        assert name in text
    assert "b.\\x1b[31m" in text
    assert "\x1b" not in text
    assert text.count("b.{{body}}") == 2
    linked = linked_benchmarks(page)
    assert linked == set(_HOSTILE)


def test_hostile_parameters_stay_text_in_every_picture(writer):
    value = "</svg><img src=x onerror=alert(1)>\"'\x1b{{ 7 * 7 }}"
    suite = Suite()
    for figure, taken in (("seconds", (1.0, 5.0)), ("share_disk", (0.9, 0.9)), ("share_idle", (0.1, 0.1))):
        variant = [("of<b>", [value])]
        suite.add("odd", figure, taken, sizes=("1M", "5M"), variant=variant)
    for number, date in enumerate((1_800_000_000_000, 1_800_000_100_000)):
        suite.write(writer, commit=f"{number:08x}{0:032x}", date=date)
    html = render_page(build_report(writer.path, settings=OWN), project="x")
    page = Page(html)
    assert {tag for tag, _ in page.tags} & {"img", "of<b"} == set()
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "\x1b" not in html
    shown = "odd (of<b>=</svg><img src=x onerror=alert(1)>\"'\\x1b{{ 7 * 7 }})"
    for kind in ("matrix", "shares", "growth", "history"):
        section = html.partition(f'<section id="{kind}-0"')[2].partition("</section>")[0]
        assert shown in unescape(re.sub("<[^>]*>", "", section)), kind


def test_only_templates_have_markup():
    """All that the page says passes a template, which escapes it."""
    for path in sorted(Path(page_module.__file__).parent.glob("*.py")):
        texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        markup = [text for text in texts if isinstance(text, str) and re.search(r"</?[a-z]+[ >{]", text)]
        assert path.name == "offline.py" or markup == [], path.name


def test_a_page_without_sizes_has_no_matrix(writer):
    writer.benchmarks(benchmark("b"))
    writer.machine()
    writer.run({"b": row([1.0])})
    html = render_page(build_report(writer.path, settings=OWN), project="")
    Page(html)
    assert "Stages by rows" not in html


def test_publishing_writes_three_formats_and_the_link(writer, site):
    full_suite().write(writer)
    before = (site / "index.html").read_text()
    Bottlenecks.publish(conf_of(writer, site), None, {}, None, {})
    assert sorted(p.name for p in (site / "bottlenecks").iterdir()) == [
        "bottlenecks.json",
        "bottlenecks.md",
        "index.html",
    ]
    assert json.loads((site / "bottlenecks" / "bottlenecks.json").read_text())["version"] == 2
    after = (site / "index.html").read_text()
    link = '<li id="nav-li-bottlenecks"><a href="bottlenecks/index.html">Bottlenecks</a></li>'
    assert [line for line in after.splitlines() if "vendor/" not in line and link not in line] == [
        line for line in before.splitlines() if 'integrity="' not in line
    ]
    assert after.index("nav-li-regressions") < after.index(link) < after.index("nav-li-graphdisplay")
    add_link(site / "index.html")
    assert (site / "index.html").read_text() == after


@pytest.mark.parametrize("breakage", ["no results", "not JSON", "no site", "changed navigation", "a fault"])
def test_publishing_goes_on_whatever_happens(writer, site, caplog, monkeypatch, breakage):
    path = full_suite().write(writer)
    conf = conf_of(writer, site)
    if breakage == "no results":
        shutil.rmtree(writer.path)
    elif breakage == "not JSON":
        path.write_text("{")
    elif breakage == "no site":
        conf.html_dir = str(site / "absent")
    elif breakage == "changed navigation":
        (site / "index.html").write_text("<html></html>")
    else:
        monkeypatch.setattr("cdpipe.perf.asv_plugin.build_report", lambda results_dir: 1 / 0)
    Bottlenecks.publish(conf, None, {}, None, {})
    expected = {
        "no results": "is not a directory",
        "not JSON": "is not JSON",
        "no site": "No such file",
        "changed navigation": "navigation has changed",
        "a fault": "ZeroDivisionError",
    }
    assert expected[breakage] in caplog.text
    if breakage in {"no results", "not JSON", "a fault"}:
        assert "https://" not in re.sub("<a [^>]*>", "", (site / "index.html").read_text())


def test_asv_publish_makes_the_page(asv_project):
    said = asv_project.asv("publish", "--no-pull")
    assert "Generating output for Bottlenecks" in said
    html = asv_project.path / "html"
    page = Page((html / "bottlenecks" / "index.html").read_text(encoding="utf-8"))
    assert "Bottlenecks of demo <b>" in "".join(page.text)
    assert "bottlenecks/index.html" in (html / "index.html").read_text(encoding="utf-8")
    pages = json.loads((html / "index.json").read_text())["pages"]
    assert ["bottlenecks", "Bottlenecks", Bottlenecks.description] in pages
    linked = linked_benchmarks(page)
    assert linked == set(json.loads((html / "index.json").read_text())["benchmarks"])


def test_asv_publish_survives_broken_results(asv_project, tmp_path):
    copy = tmp_path / "project"
    shutil.copytree(asv_project.path, copy, ignore=shutil.ignore_patterns("env", "html"))
    (result,) = copy.glob("results/box/*-*.json")
    result.write_text(result.read_text().replace('"date"', '"day"', 1))
    broken = type(asv_project)(copy, asv_project.commit, asv_project.environment)
    said = broken.asv("publish", "--no-pull")
    assert "No bottleneck report" in said
    assert "field 'date': is missing" in said.replace("\n", "")


def test_write_pages_says_what_is_wrong(writer, tmp_path):
    with pytest.raises(ValueError, match=r"benchmarks\.json: is missing"):
        write_pages(writer.path, tmp_path, project="demo")
