import re
import tomllib
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
        if not is_there and not ("/" not in path.rstrip("/") and list((ROOT / "cdpipe").rglob(path.rstrip("/")))):
            missing.append(path)
    assert missing == []


@pytest.mark.parametrize(
    "folder", ["benchmarks", *(f"cdpipe/{path.parent.name}" for path in (ROOT / "cdpipe").glob("*/__init__.py"))]
)
def test_every_room_of_the_house_is_on_the_page(folder):
    assert folder in PAGE.read_text()
    assert (ROOT / folder / "__init__.py").is_file()


def test_every_decision_has_a_number_and_is_short():
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [path.name[:4] for path in decisions] == [f"{number:04d}" for number in range(1, len(decisions) + 1)]
    for path in decisions:
        lines = path.read_text().strip().splitlines()
        assert len(lines) <= 45, path.name
        assert max(map(len, lines)) <= 120, path.name


FOLDERS = sorted(path.parent for path in (ROOT / "cdpipe").rglob("__init__.py"))
LAYERS = [
    contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    if contract["type"] == "layers"
]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_folder_has_at_most_15_modules(folder):
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 15


def test_no_module_stands_outside_the_contracts():
    """Each folder that has folders in it is laid in layers, and the contract fails if one of its modules is in none."""
    laid = {name.replace(".", "/") for contract in LAYERS if contract["exhaustive"] for name in contract["containers"]}
    rooms = {folder.relative_to(ROOT).as_posix() for folder in FOLDERS if list(folder.glob("*/__init__.py"))}
    assert rooms <= laid
    assert all(contract["exhaustive"] for contract in LAYERS)


def test_tests_mirror_the_house():
    """A folder of tests has the name of a room, but for those that are of none."""
    of_none = {"benchmarks", "contracts", "fuzz", "gate_proof", "ground_truth", "torture"}
    found = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    rooms = {folder.relative_to(ROOT / "cdpipe") for folder in FOLDERS}
    assert {path for path in found if path.parts and path.parts[0] not in of_none} <= rooms
