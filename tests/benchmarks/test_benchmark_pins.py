"""Exact versions everywhere, the same everywhere and for every Python, and nothing of one machine."""

import json
import re
import sys

import pytest
from asv.config import Config
from asv.util import ParsedPipDeclaration

from benchmarks import _pins

CONF = json.loads((_pins.HERE / "asv.conf.json").read_text(encoding="utf-8"))
PROJECT = _pins.read_project()
PLACES = re.compile(r"://|(?<![\w.])/\w|~/|@")


def read_constraints() -> dict[str, str]:
    lines = (_pins.HERE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


@pytest.mark.parametrize(("extra", "names"), [("peers", {"duckdb", "polars"}), ("fuzz", {"atheris"})])
def test_what_one_command_alone_needs_is_pinned(extra, names):
    assert {re.match(r"[\w-]+", each)[0] for each in PROJECT["optional-dependencies"][extra]} == names
    constraints = read_constraints()
    try:
        pins = _pins.pin_on_demand(extra)
    except ValueError:  # only `make` of that name installs these, so here only that there are pins of them can be seen
        assert constraints.keys() >= names
    else:
        assert constraints.items() >= pins.items(), "run `python -m benchmarks pins` after an upgrade"


def test_constraints_are_what_is_required_and_installed():
    constraints, pins, missing = read_constraints(), _pins.pin_development(), 0
    for extra in _pins.ON_DEMAND:
        try:
            pins |= _pins.pin_on_demand(extra)
        except ValueError:
            missing += 1
    assert constraints.items() >= pins.items(), "run `python -m benchmarks pins` after an upgrade"
    assert missing or constraints == pins, "run `python -m benchmarks pins` after an upgrade"


@pytest.mark.parametrize("extra", _pins.ON_DEMAND)
def test_pinning_what_is_not_installed_says_what_to_do(monkeypatch, extra):
    monkeypatch.setattr(
        _pins, "read_project", lambda: PROJECT | {"optional-dependencies": {extra: ["no-such-package>=1"]}}
    )
    with pytest.raises(ValueError, match=rf"no-such-package is not installed.*pip install -e '\.\[{extra}\]'"):
        _pins.pin_on_demand(extra)


def test_asv_measures_in_the_same_versions():
    assert CONF["matrix"]["req"] == _pins.pin_runtime(), "run `python -m benchmarks pins` after an upgrade"
    constraints = read_constraints()
    for key, version in CONF["matrix"]["req"].items():
        assert constraints[_pins.ASV_OWN.get(key, key)] == version, key


def test_asv_pins_every_direct_requirement():
    names = {re.match(r"[\w-]+", each)[0].lower() for each in _pins.read_project()["dependencies"]}
    assert names - set(CONF["matrix"]["req"]) == _pins.MEASURING


def test_asv_reads_each_pin_as_it_is_meant():
    for key, version in CONF["matrix"]["req"].items():
        parsed = ParsedPipDeclaration(f"{key.removeprefix('pip+')} {version}")
        assert (parsed.pkgname, parsed.specification) == (key.removeprefix("pip+"), f"=={version}")
        assert not parsed.flags
        assert not parsed.path


def test_leaves_come_first_so_that_nothing_is_installed_twice():
    order = list(CONF["matrix"]["req"])
    assert order.index("llvmlite") < order.index("numba")
    assert order.index("numpy") < order.index("pandas") < order.index("pip+build")


def test_installation_changes_no_pin():
    assert "--no-deps" in CONF["install_command"][0]
    assert "--no-isolation" in CONF["build_command"][0]
    assert CONF["plugins"] == [".cdpipe.perf.asv_plugin"]


def test_asv_measures_in_the_python_that_runs_it():
    running = ".".join(map(str, sys.version_info[:2]))
    assert Config.load(str(_pins.HERE / "asv.conf.json")).pythons == [running]


def test_each_python_requires_only_what_is_pinned(monkeypatch):
    pinned = _pins.pin_development()
    for minor in (11, 12, 13, 14):
        monkeypatch.setattr(_pins, "read_project", lambda minor=minor: PROJECT | {"requires-python": f">=3.{minor}"})
        assert _pins.pin_development().items() <= pinned.items(), minor
        assert _pins.pin_runtime().items() <= CONF["matrix"]["req"].items(), minor


def test_nothing_is_of_one_machine():
    for name in ("constraints.txt", "asv.conf.json"):
        assert not PLACES.search((_pins.HERE / name).read_text(encoding="utf-8")), name
