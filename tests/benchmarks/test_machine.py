"""The machine is registered once, by a name that fits into paths, and stays what it was when its kernel changes."""

import json

import pytest
from asv.graph import Graph
from asv.machine import Machine, MachineCollection

from benchmarks import __main__ as command_line
from benchmarks import _machine, _migration, _pins

LONG = {
    "machine": "host", "os": "Linux 6.11.0-1018-azure", "arch": "x86_64", "num_cpu": "64", "ram": "16373424128",
    "cpu": "Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz",
}  # fmt: skip


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(
        MachineCollection, "get_machine_file_path", staticmethod(lambda: str(tmp_path / "machine.json"))
    )
    monkeypatch.setattr(Machine, "get_defaults", staticmethod(lambda: dict(LONG)))
    monkeypatch.setattr(Machine, "get_unique_machine_name", classmethod(lambda cls: "host"))
    return tmp_path / "machine.json"


def test_a_machine_is_registered_by_what_stays(file):
    assert _machine.register() == "host"
    assert json.loads(file.read_text())["host"] == LONG | {"os": "Linux", "cpu": "Intel Xeon Platinum 8370C"}


def test_a_known_machine_stays_as_it_is(file):
    MachineCollection.save("host", LONG)
    before = file.read_bytes()
    _machine.register()
    assert file.read_bytes() == before


def test_each_name_is_a_machine_of_its_own(file):
    _machine.register()
    assert command_line.main(["machine", "runner"]) == 0
    known = json.loads(file.read_text())
    assert (known["host"]["machine"], known["runner"]["machine"]) == ("host", "runner")
    assert known["runner"].keys() == LONG.keys()


def test_what_asv_left_unfinished_is_completed(file):
    MachineCollection.save("host", {"machine": "host"})
    _machine.register()
    assert json.loads(file.read_text())["host"].keys() == LONG.keys()


@pytest.mark.parametrize(
    ("cpu", "short"),
    [
        ("Intel(R) Core(TM) i5-2520M CPU @ 2.50GHz (4 cores)", "Intel Core i5-2520M"),
        ("AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763"),
        ("Apple M3", "Apple M3"),
        ("", "unknown"),
    ],
)
def test_a_processor_is_named_without_marks_and_clock(cpu, short):
    assert _machine.shorten(cpu) == short


def test_the_longest_path_of_the_site_is_short(file):
    _machine.register("github-ubuntu-24.04")
    (machine,) = (json.loads(file.read_text())[name] for name in ["github-ubuntu-24.04"])
    params = machine | {"python": "3.11", "branch": "HEAD", f"env-{_pins.MATRIX_KEY}": "0" * 8}
    longest = max(len(Graph.get_file_path(params, name)) for name in _migration.describe_suite())
    assert longest + len(".json") <= 200
