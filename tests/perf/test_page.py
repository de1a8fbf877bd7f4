"""The web page and the asv plugin: well formed, escaped, complete, and never in asv's way."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from cdpipe.perf.asv_plugin import Bottlenecks, add_link, write_pages
from cdpipe.perf.page import render_page
from cdpipe.perf.report import build_report

from .results_writing import benchmark, full_suite, row

_VOID = {"meta", "link", "br", "img", "input", "hr"}
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


def written(writer, **details):
    full_suite().write(writer, **details)
    return render_page(build_report(writer.path), project="demo")


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
    for said in ("Bottlenecks of demo", "scheduler-bound", "T3 attack, 15M rows", "not measured", "1.02 [0.96, 1.08]"):
        assert said in text
    classes = [attributes.get("class") for tag, attributes in page.tags if tag == "td"]
    for name in ("compute", "memory", "io", "scheduler", "balanced"):
        assert classes.count(name) == 6  # three sizes, in the matrix and in the table
    assert sum(tag == "h1" for tag, _ in page.tags) == 1


def test_the_page_needs_nothing_from_elsewhere(writer):
    html = written(writer)
    page = Page(html)
    assert not [tag for tag, _ in page.tags if tag in {"script", "img", "iframe", "object"}]
    allowed = re.compile(r"data:,|\.\./index\.html(#.*)?|bottlenecks\.(md|json)")
    assert all(allowed.fullmatch(link) for link in page.links)
    assert "url(" not in html
    assert "prefers-color-scheme: dark" in html
    assert any(a.get("name") == "viewport" for tag, a in page.tags if tag == "meta")


def test_each_cell_of_the_matrix_links_to_asv_s_graph(writer):
    page = Page(written(writer))
    named = {unquote(link.partition("#")[2]) for link in page.links if "#" in link}
    assert {"suite.gather.time_seconds", "suite.cache.track_hit_rate", "suite.attack_offset_rand.time_seconds"} <= named


def test_hostile_names_stay_text(writer):
    hostile(writer)
    page = Page(render_page(build_report(writer.path), project="<i>demo</i>"))
    assert not [tag for tag, _ in page.tags if tag in {"script", "img", "i"}]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    text = "".join(page.text)
    for name in _HOSTILE[:-1]:
        assert name in text
    assert "b.\\x1b[31m" in text
    assert "\x1b" not in text
    assert text.count("b.{{body}}") == 2
    linked = {unquote(link.partition("#")[2]) for link in page.links if "#" in link}
    assert linked == set(_HOSTILE)


def test_a_page_without_sizes_has_no_matrix(writer):
    writer.benchmarks(benchmark("b"))
    writer.machine()
    writer.run({"b": row([1.0])})
    html = render_page(build_report(writer.path), project="")
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
    assert json.loads((site / "bottlenecks" / "bottlenecks.json").read_text())["version"] == 1
    after = (site / "index.html").read_text()
    link = '<li id="nav-li-bottlenecks"><a href="bottlenecks/index.html">Bottlenecks</a></li>'
    assert after.replace(f"\n\t{link}", "") == before
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


def test_asv_publish_makes_the_page(asv_project):
    said = asv_project.asv("publish", "--no-pull")
    assert "Generating output for Bottlenecks" in said
    html = asv_project.path / "html"
    page = Page((html / "bottlenecks" / "index.html").read_text(encoding="utf-8"))
    assert "Bottlenecks of demo <b>" in "".join(page.text)
    assert "bottlenecks/index.html" in (html / "index.html").read_text(encoding="utf-8")
    pages = json.loads((html / "index.json").read_text())["pages"]
    assert ["bottlenecks", "Bottlenecks", Bottlenecks.description] in pages
    linked = {unquote(link.partition("#")[2]) for link in page.links if "#" in link}
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
