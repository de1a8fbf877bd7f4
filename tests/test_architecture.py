import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
SPAN = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*|[\w.-]+\.(?:py|md|toml|json|html|jsonl)")
MADE_BY_RUNS = {"report.json", "rejects.jsonl"}


def named_paths(text):
    """What stands in backticks and looks like a path of this repository."""
    return [span for span in SPAN.findall(text) if PATH.fullmatch(span) and span not in MADE_BY_RUNS]


def test_the_page_names_many_paths():
    assert len(set(named_paths(PAGE.read_text()))) > 15


def test_every_path_that_the_page_names_exists():
    missing = []
    for path in named_paths(PAGE.read_text()):
        found = ROOT / path
        is_there = found.is_dir() if path.endswith("/") else found.is_file()
        if not is_there and not ("/" not in path and list((ROOT / "cdpipe").rglob(path))):
            missing.append(path)
    assert missing == []


@pytest.mark.parametrize(
    "folder", ["cdpipe", "cdpipe/stages", "cdpipe/engine", "cdpipe/kernels", "cdpipe/perf", "benchmarks"]
)
def test_every_room_of_the_house_is_on_the_page(folder):
    assert folder in PAGE.read_text()
    assert (ROOT / folder / "__init__.py").is_file()


def test_every_decision_has_a_number_and_is_short():
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [path.name[:4] for path in decisions] == [f"{number:04d}" for number in range(1, len(decisions) + 1)]
    for path in decisions:
        assert len(path.read_text().strip().splitlines()) <= 15, path.name
