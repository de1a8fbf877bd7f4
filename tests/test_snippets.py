"""Python of README and of the pages: it type-checks for whoever copies it, and runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cdpipe.synthetic.generator import SynthParams, synthesize

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets(page):
    """Return the blocks of Python that use cdpipe; benchmarks are left out: asv takes attributes of functions."""
    return [block for block in _PYTHON.findall(page.read_text()) if "cdpipe" in block and "cdpipe_stage" not in block]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("snippets")
    for page in PAGES:
        if blocks := snippets(page):
            (made / f"{page.stem.lower().replace('-', '_')}.py").write_text("\n".join(blocks))
    return made


def test_there_is_something_to_check(folder):
    assert (folder / "readme.py").stat().st_size > 150


def test_mypy_finds_nothing(folder):
    # With the project's own settings, which are stricter than none: `make lint` left its cache, so this is quick.
    command = [sys.executable, "-m", "mypy", *map(str, folder.glob("*.py"))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout


def test_pyright_finds_nothing(folder):
    pyright = shutil.which("basedpyright", path=str(Path(sys.executable).parent))
    assert pyright, "the extra `dev` has basedpyright"
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard", "include": ["."]}')
    command = [pyright, "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert "0 errors" in done.stdout, done.stdout


def test_readme_s_python_runs(tmp_path):
    synthesize(tmp_path / "bsm.csv", SynthParams(rows=3_000, vehicles=40))
    (tmp_path / "study.toml").write_text('[input]\npaths = ["bsm.csv"]\n[train]\nclassifiers = ["DecisionTree"]\n')
    script = "\n".join(block for block in snippets(ROOT / "README.md") if "open_session" not in block)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
