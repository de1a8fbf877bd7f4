"""Base install: whole runs with everything blocked that `pip install cdpipe` does not bring."""

import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest
from packaging.utils import canonicalize_name

from benchmarks._pins import close, read_project

BASE = close(read_project()["dependencies"])
MOST = 45
"""Packages, without cdpipe itself; three of them are for Python 3.11 alone."""

SCRIPT = """
import sys
from importlib.machinery import PathFinder
from importlib.metadata import DistributionFinder, MetadataPathFinder
blocked, arguments = set(sys.argv[1].split(",")), sys.argv[2:]
find_module, find_distributions = PathFinder.find_spec, MetadataPathFinder.find_distributions

def find_other_module(name, *args):
    return None if name.partition(".")[0] in blocked else find_module(name, *args)

def find_other_distributions(context=DistributionFinder.Context()):
    return iter(()) if context.name and context.name.replace("-", "_") in blocked else find_distributions(context)

PathFinder.find_spec, MetadataPathFinder.find_distributions = find_other_module, find_other_distributions
sys.argv = ["cdpipe", *arguments]
from cdpipe.cli import main
main()
"""


@pytest.fixture(scope="module")
def blocked():
    """Modules of other distributions, by their names and by those of the distributions."""
    others = set()
    for module, names in packages_distributions().items():
        if not {canonicalize_name(name) for name in names} & {*BASE, "cdpipe"}:
            others |= {module, *(canonicalize_name(name).replace("-", "_") for name in names)}
    assert {"distributed", "asv", "bokeh", "s3fs", "cryptography", "jinja2"} <= others
    return ",".join(sorted(others))


@pytest.fixture(scope="module")
def call(blocked, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")

    def called(*arguments, status=0):
        command = [sys.executable, "-c", SCRIPT, blocked, *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    called("synth", "--rows", "2000")
    return called


def test_it_is_light():
    assert len(BASE) <= MOST, sorted(BASE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        ("check bsm.csv", "results would go to", 0),
        ("run bsm.csv", "RandomForest", 0),
        ("run absent.csv", "absent.csv", 1),
        ("profile bsm.csv", "Parts of the run", 0),
        ("card cdpipe-out", "card.md", 0),
        ("cache info", "entries", 0),
        ("sweep --example", "attacks", 0),
    ],
)
def test_a_command_needs_no_more(call, arguments, said, status):
    assert said in call(*arguments.split(), status=status)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "extra", "status"),
    [
        ("run bsm.csv --scheduler local", "cluster", 1),
        ("compare HEAD", "bench", 2),
        ("run bsm.csv --set train.engine=intelex", "fast", 1),
        ("run s3://bucket/bsm.csv", "s3", 1),
    ],
)
def test_what_needs_an_extra_says_how_to_get_it(call, arguments, extra, status):
    assert f"cdpipe[{extra}]" in call(*arguments.split(), status=status)
