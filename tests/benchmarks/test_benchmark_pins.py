"""Exact versions everywhere, the same everywhere and for every Python, and nothing of one machine."""

import json
import re
import shlex
import sys

import pytest
from asv.config import Config
from asv.environment import get_env_name

from benchmarks import _pins

CONF = json.loads((_pins.HERE / "asv.conf.json").read_text(encoding="utf-8"))
PROJECT = _pins.read_project()
RUNTIME = _pins.pin_runtime()
PLACES = re.compile(r"://|(?<![\w.}])/\w|~/|@")


@pytest.mark.parametrize(
    ("extra", "names"),
    [("peers", {"duckdb", "polars"}), ("fuzz", {"atheris"}), ("notebook", {"ipykernel", "nbclient"})],
)
def test_what_one_command_alone_needs_is_pinned(extra, names):
    assert {re.match(r"[\w-]+", each)[0] for each in PROJECT["optional-dependencies"][extra]} == names
    constraints = _pins.read_constraints()
    try:
        pins = _pins.pin_on_demand(extra)
    except ValueError:  # only `make` of that name installs these, so here only that there are pins of them can be seen
        assert constraints.keys() >= names
    else:
        assert constraints.items() >= pins.items(), "run `python -m benchmarks pins` after an upgrade"


def test_constraints_are_what_is_required_and_installed():
    constraints, pins, missing = _pins.read_constraints(), _pins.pin_development(), 0
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
    first, second = map(shlex.split, CONF["install_command"])
    assert first[first.index("--constraint") + 1] == "{conf_dir}/constraints.txt"
    assert {*_pins.ASV_OWN, "{wheel_file}[cluster]"} <= set(first)
    assert second[-3:] == ["--no-deps", "--force-reinstall", "{wheel_file}"], "or all is reinstalled"
    assert _pins.read_constraints().items() >= RUNTIME.items()
    assert _pins.read_constraints().keys() >= set(_pins.ASV_OWN)


def test_the_matrix_is_a_digest_of_the_pins_and_nothing_else():
    assert CONF["matrix"] == {"env": {_pins.MATRIX_KEY: _pins.digest(RUNTIME)}}, (
        "run `python -m benchmarks pins` after an upgrade"
    )
    assert len(get_env_name("virtualenv", "3.11", {}, {("build", _pins.MATRIX_KEY): "0" * 8})) < 40


@pytest.mark.parametrize("name", ["numpy", "llvmlite"])
def test_an_upgrade_of_what_is_measured_is_a_new_environment(name):
    assert _pins.digest(RUNTIME | {name: RUNTIME[name] + ".1"}) != _pins.digest(RUNTIME)
    assert _pins.digest(dict(reversed(RUNTIME.items()))) == _pins.digest(RUNTIME)


def test_an_upgrade_of_what_only_checks_the_code_is_none():
    assert not {"ruff", "mypy", "pytest", "asv"} & RUNTIME.keys()


def test_every_direct_requirement_is_in_the_digest():
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["cluster"]]
    names = {re.match(r"[\w-]+", each)[0].lower() for each in wanted}
    assert names <= RUNTIME.keys()
    assert not RUNTIME.keys() & _pins.MEASURING


def test_pins_are_written_as_they_are(tmp_path, monkeypatch):
    """Writing anew changes nothing but what is stale; nothing else of asv's configuration is touched."""
    (tmp_path / "pyproject.toml").write_text((_pins.HERE / "pyproject.toml").read_text(encoding="utf-8"))
    (tmp_path / "asv.conf.json").write_text(json.dumps(CONF | {"matrix": {"req": {"numpy": "1.0"}}}))
    monkeypatch.setattr(_pins, "HERE", tmp_path)
    monkeypatch.setattr(_pins, "pin_on_demand", lambda extra: {extra: "1.0"})
    _pins.write()
    assert json.loads((tmp_path / "asv.conf.json").read_text(encoding="utf-8")) == CONF
    assert _pins.read_constraints() == _pins.pin_development() | dict.fromkeys(_pins.ON_DEMAND, "1.0")


def test_site_can_be_made_of_any_clone():
    """A checkout of a pull request has no branch `main`; `HEAD` every clone has."""
    assert CONF["branches"] == ["HEAD"]


def test_building_changes_no_pin():
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
        assert _pins.pin_runtime().items() <= pinned.items(), minor


def test_nothing_is_of_one_machine():
    conf = {key: value for key, value in CONF.items() if key not in ("project_url", "show_commit_url")}
    for text in ((_pins.HERE / "constraints.txt").read_text(encoding="utf-8"), json.dumps(conf)):
        assert not PLACES.search(text)
