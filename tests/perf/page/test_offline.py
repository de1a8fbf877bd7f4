"""The published site without a network: what asv's pages load is beside them, and is what they say it is."""

import re
import shutil
from importlib.resources import files
from pathlib import Path

import asv
import pytest

from cdpipe.perf.asv_plugin import keep_scripts, write_pages
from cdpipe.perf.page.offline import (
    ALTERNATIVES,
    FOLDER,
    Resource,
    digest_content,
    find_vendored,
    list_resources,
    serve_locally,
)

from ..results_writing import attributed_suite

WWW = Path(asv.__file__).parent / "www"
VENDORED = files("cdpipe.perf.page") / FOLDER
RESOURCES = list_resources((WWW / "index.html").read_text())


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "html"
    shutil.copytree(WWW, folder)
    return folder


def test_asv_s_page_is_read_whole():
    assert len(RESOURCES) == len(re.findall(r'"https://[^"]+" integrity', (WWW / "index.html").read_text())) >= 10


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.address.rpartition("/")[2])
def test_each_script_of_asv_has_a_copy_equal_to_what_the_page_states(resource):
    file = find_vendored(resource)
    assert file is not None
    content = VENDORED.joinpath(file).read_bytes()
    same = digest_content(content, resource.integrity.partition("-")[0]) == resource.integrity
    assert same or file in ALTERNATIVES.values()
    listed = next(line for line in VENDORED.joinpath("README.md").read_text().splitlines() if f"`{file}`" in line)
    assert listed.endswith("| yes |") == same


def test_licences_lie_beside():
    named = {path.name for path in VENDORED.iterdir()}
    for package in ("jquery", "flot", "bootstrap", "blueimp-md5", "stupid-table-plugin"):
        assert f"LICENSE.{package}.txt" in named
    assert "MIT license" in VENDORED.joinpath("jquery.flot.orderBars.js").read_text()


def test_a_published_site_loads_nothing_from_elsewhere(site, writer):
    attributed_suite().write(writer)
    write_pages(writer.path, site, project="x")
    keep_scripts(site)
    write_pages(writer.path, site, project="x")
    keep_scripts(site)  # `asv publish` may be run again without asv's own pages made anew
    page = (site / "index.html").read_text()
    assert list_resources(page) == []
    loaded = re.findall(r'<(?:script|link)[^>]*?(?:src|href)="([^"]+)"', page)
    assert not [address for address in loaded if "//" in address]
    for file, integrity in re.findall(r'="(vendor/[^"]+)" integrity="([^"]+)"', page):
        assert digest_content((site / file).read_bytes(), integrity.partition("-")[0]) == integrity
    assert "crossorigin" not in page
    assert 'href="bottlenecks/index.html"' in page
    assert (site / "error.html").read_text().count("bottlenecks/index.html") == 1


def test_what_has_no_copy_is_left_as_it_is_and_named(site):
    address = "https://example.org/new-library.js"
    page = f'<script src="{address}" integrity="sha256-AAAA" crossorigin="anonymous"></script>'
    (site / "index.html").write_text(page)
    assert serve_locally(site) == [address]
    assert (site / "index.html").read_text() == page
    assert find_vendored(Resource(address, "crc-AAAA")) is None
