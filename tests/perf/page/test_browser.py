"""The page as a person has it: in a headless Chromium, from `file://`, with no network.

It needs the package `playwright` and Debian's `chromium`; without either it is skipped, and says so.
"""

import shutil
from pathlib import Path
from urllib.parse import unquote

import asv
import pytest

from cdpipe.perf.asv_plugin import keep_scripts, write_pages

from ..results_writing import OWN, ResultsWriter, Suite, attributed_suite, benchmark, row, write_history

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright to drive a browser")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium on the path")

HOSTILE = 'x</script><script>document.title="taken"</script><img src=x onerror=alert(1)>"\' ü {{body}} #?%&amp;'
_PHONE = {"width": 360, "height": 640}


def publish(results, folder):
    """Do what the plugin does in `asv publish`, on a copy of the page that it starts from."""
    folder.mkdir()
    shutil.copy(Path(asv.__file__).parent / "www" / "index.html", folder)
    write_pages(results, folder, project="demo")
    keep_scripts(folder)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Nine commits, and a benchmark whose name is an attack on the page, with shares so that it is drawn everywhere."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "asv.conf.json").write_text("{}")
    (folder / "bottlenecks.toml").write_text(f'include = ["{OWN.path}"]')
    writer = ResultsWriter(folder / "results")
    write_history(writer, 9)
    suite = attributed_suite()
    for share, value in (("compute", 0.3), ("disk", 0.7)):
        params = [["'1M'", "'10M'"]]
        name = f"{HOSTILE}.{share}"
        details = {
            "cdpipe_stage": HOSTILE,
            "cdpipe_figure": f"share_{share}",
            "params": params,
            "param_names": ["rows"],
        }
        suite.entries.append(benchmark(name, kind="track", unit="share", **details))
        suite.rows[name] = row([value, value], params=params)
    suite.write(writer, date=1_800_000_000_000)
    return publish(writer.path, folder / "html")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as driver:
        # A test's own machine may have no user namespaces for the sandbox; the pages are the test's own.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Visit:
    """A page in a window of its own, and all that went wrong on it or was asked of the network."""

    def __init__(self, browser, **window):
        self.context = browser.new_context(offline=True, **window)
        self.page = self.context.new_page()
        self.faults, self.asked = [], []
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.faults.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, site):
        self.page.goto((site / "bottlenecks" / "index.html").as_uri())
        return self.page


@pytest.fixture
def visit(browser):
    visits = []

    def start(**window):
        visits.append(Visit(browser, **window))
        return visits[-1]

    yield start
    for each in visits:
        each.context.close()


def shown_stages(page):
    return [name.strip() for name in page.locator(".matrix tbody tr:visible .name").all_inner_texts()]


def test_asv_s_navigation_leads_to_the_page_and_back(site, visit):
    # asv's own pages load their scripts from elsewhere, and go to an error page where they cannot.
    page = visit(java_script_enabled=False).page
    page.goto((site / "index.html").as_uri())
    page.get_by_role("link", name="Bottlenecks", exact=True).press("Enter")
    page.wait_for_url("**/bottlenecks/index.html")
    assert page.title() == "Bottlenecks of demo"
    evidence = page.locator(".matrix td a").first
    assert evidence.get_attribute("href") == "#shares-0-0-0"
    page.get_by_role("link", name="asv's own pages").click()
    page.wait_for_url("**/html/index.html")


def test_nothing_is_asked_of_the_network_and_nothing_fails(site, visit):
    seen = visit()
    page = seen.open(site)
    page.wait_for_load_state("networkidle")
    assert seen.faults == []
    assert [url for url in seen.asked if not url.startswith(("file:", "data:"))] == []


def test_a_class_leads_to_its_evidence(site, visit):
    page = visit().open(site)
    page.locator(".matrix tr", has_text="features").locator("td a").last.click()
    shown = page.locator(".evidence:target")
    sync_api.expect(shown).to_be_visible()
    sync_api.expect(shown).to_contain_text("the slots wait for the interpreter's lock (GIL)")


def test_what_is_filtered_is_in_the_address(site, visit):
    page = visit().open(site)
    page.get_by_role("searchbox", name="Stage").fill("attack")
    page.get_by_role("checkbox", name="scheduler-bound").check()
    page.wait_for_url("**?stage=attack&class=scheduler")
    again = visit().page
    again.goto(page.url)
    assert shown_stages(again) == ["attack/swap_rand"]
    sync_api.expect(again.get_by_role("checkbox", name="scheduler-bound")).to_be_checked()


def test_colours_survive_printing(site, visit):
    page = visit().open(site)
    page.emulate_media(media="print")
    part = page.locator(".bar a").first
    assert part.evaluate("part => getComputedStyle(part).printColorAdjust") == "exact"
    sync_api.expect(page.locator("#filter")).to_be_hidden()


def test_the_filter_finds_stages_by_name_and_class(site, visit):
    page = visit().open(site)
    everything = shown_stages(page)
    assert len(everything) == 9
    page.get_by_role("searchbox", name="Stage").fill("ATTACK rand")
    status = page.get_by_role("status")
    sync_api.expect(status).to_have_text("2 of 9 stages")
    assert shown_stages(page) == ["attack/offset_rand", "attack/swap_rand"]
    assert page.locator("figure.plot:visible").count() == 2
    page.get_by_role("checkbox", name="scheduler-bound").check()
    sync_api.expect(status).to_have_text("1 of 9 stages")
    assert shown_stages(page) == ["attack/swap_rand"]
    page.get_by_role("button", name="Clear").click()
    sync_api.expect(status).to_have_text("")
    assert shown_stages(page) == everything


def test_a_hostile_name_is_text_and_nothing_else(site, visit):
    seen = visit()
    page = seen.open(site)
    page.get_by_role("searchbox", name="Stage").fill("</script>")
    sync_api.expect(page.get_by_role("status")).to_have_text("1 of 9 stages")
    assert shown_stages(page) == [HOSTILE]
    assert page.title() == "Bottlenecks of demo"
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    link = page.locator(".figures tr:visible td a[href*=html]").first.get_attribute("href")
    assert unquote(link.partition("#")[2]) == f"{HOSTILE}.compute"
    bar = page.locator(".stage:visible .bar").first
    assert bar.get_attribute("aria-label") == f"Shares of {HOSTILE} at 1M"
    bar.locator("a").last.click()
    sync_api.expect(page.locator(".evidence:target")).to_contain_text("disk-bound")
    assert seen.faults == []


def test_everything_is_reached_by_keyboard(site, visit):
    page = visit().open(site)
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    sync_api.expect(skip).to_be_focused()
    sync_api.expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("main")).to_be_focused()
    field = page.get_by_role("searchbox", name="Stage")
    for _ in range(10):
        page.keyboard.press("Tab")
        if field.evaluate("node => node === document.activeElement"):
            break
    sync_api.expect(field).to_be_focused()
    assert field.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    parts = page.locator(".bar").first.locator("a")
    parts.first.focus()
    page.keyboard.press("ArrowRight")
    sync_api.expect(parts.nth(1)).to_be_focused()
    assert parts.nth(1).get_attribute("aria-label").startswith("disk 20 %")
    said = parts.nth(1).evaluate("node => getComputedStyle(node, '::after').content")
    assert "waiting for the disk" in said
    page.keyboard.press("End")
    sync_api.expect(parts.last).to_be_focused()
    page.keyboard.press("Tab")
    sync_api.expect(page.locator(".bar").nth(1).locator("a").first).to_be_focused()
    page.keyboard.press("Enter")
    evidence = page.locator(".evidence:target")
    sync_api.expect(evidence).to_be_in_viewport()
    sync_api.expect(evidence).to_be_focused()


def test_without_script_all_is_there_but_the_filter(site, visit):
    page = visit(java_script_enabled=False).open(site)
    assert page.locator("#filter").is_hidden()
    assert page.locator(".legend").is_visible()
    assert page.locator(".bar a").first.is_visible()
    page.locator(".bar a").first.click()
    assert page.locator(".evidence:target").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_scrolls_down_only_in_either_theme(site, visit, theme):
    page = visit(viewport=_PHONE, color_scheme=theme).open(site)
    assert page.evaluate("document.documentElement.scrollWidth") == _PHONE["width"]
    for part in (".bar", ".plot svg", ".strip", "#filter"):
        box = page.locator(part).first.bounding_box()
        assert box["width"] > 90
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[theme]


def test_on_a_phone_no_number_and_no_word_is_broken(site, visit):
    page = visit(viewport=_PHONE).open(site)
    numbers = page.locator("td.number:visible")
    assert any("rows/s" in text for text in numbers.all_inner_texts())
    heights = numbers.evaluate_all("""nodes => nodes.map((node) => {
        const range = document.createRange();
        range.selectNodeContents(node);
        return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
    })""")
    assert set(heights) == {1}
    target = page.locator("tbody th", has_text="T2 feature preparation")
    assert target.evaluate("node => node.scrollWidth <= node.clientWidth")
    assert "preparation" in target.inner_text().split()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_names_on_hatched_parts_stand_on_a_plate(tmp_path, visit, theme):
    suite = Suite()
    for figure, value in (("seconds", 1.0), ("share_contention", 0.6), ("share_compute", 0.4)):
        suite.add("clean", figure, (value,), sizes=("1M",))
    writer = ResultsWriter(tmp_path / "results")
    suite.write(writer)
    page = visit(color_scheme=theme).open(publish(writer.path, tmp_path / "html"))
    plate = page.locator(".bar .share-contention > span")
    sync_api.expect(plate).to_have_text("contention")
    colours = plate.evaluate("node => [getComputedStyle(node).backgroundColor, getComputedStyle(node).color]")
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colours[0] == back
    assert colours[1] == page.evaluate("getComputedStyle(document.body).color")


def test_ten_thousand_benchmarks_stay_usable(tmp_path, visit):
    suite = Suite()
    sizes = ("1M", "5M", "10M")
    for place in range(2_000):
        stage, compute = f"stage{place:04}", 0.95 if place % 3 else 0.3
        for figure, values in (
            ("seconds", (1.0, 5.0, 10.0)), ("tree_peak_bytes", (4e8, 4e8, 4e8)), ("share_compute", (compute,) * 3),
            ("share_disk", (0.99 - compute,) * 3), ("share_idle", (0.01,) * 3),
        ):  # fmt: skip
            suite.add(stage, figure, values, sizes=sizes)
    assert len(suite.rows) == 10_000
    writer = ResultsWriter(tmp_path / "results")
    suite.write(writer)
    page = visit().open(publish(writer.path, tmp_path / "html"))
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert loaded < 10_000  # ms; two seconds on a quiet machine
    assert page.evaluate("document.documentElement.scrollHeight") < 8_000  # all that is long is folded
    page.get_by_role("searchbox", name="Stage").fill("stage0123")
    sync_api.expect(page.get_by_role("status")).to_have_text("1 of 2000 stages", timeout=10_000)
    assert shown_stages(page) == ["stage0123"]
    page.locator(".stage:visible .bar a").first.click()
    sync_api.expect(page.locator(".evidence:target")).to_be_in_viewport()
