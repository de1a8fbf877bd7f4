"""That all that fuzzing has found is read as it should be: the same compiled and as plain Python, without a fault."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .replay import CORPUS, replay
from .targets import TARGETS, Fault, make_parquet, read_csv

pytestmark = pytest.mark.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parents[2]
LIMIT_BYTES = 1_000_000


@pytest.fixture(scope="module")
def compiled():
    return replay()


@pytest.fixture(scope="module")
def plain():
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.fuzz.replay"]
    return json.loads(subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize("reader", TARGETS)
def test_no_input_shows_a_fault(compiled, reader):
    of_reader = {name: said for name, said in compiled.items() if name.startswith(f"{reader}/")}
    assert of_reader
    assert not {name: said for name, said in of_reader.items() if said.startswith("fault")}


@pytest.mark.slow
def test_plain_python_reads_the_same(compiled, plain):
    assert {name: (said, plain[name]) for name, said in compiled.items() if said != plain[name]} == {}


def test_the_corpus_is_small():
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < LIMIT_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["csv", "parquet", "packed"])
def test_some_inputs_are_read_and_some_refused(compiled, reader):
    said = [each for name, each in compiled.items() if name.startswith(f"{reader}/")]
    assert 0 < sum("Error: " in each for each in said) < len(said)


def test_a_target_tells_what_differs():
    good = b"coreData_id,coreData_position_lat,coreData_position_long\nA1,41.5,-106.1\n"
    assert read_csv(good) == read_csv(good)
    assert read_csv(good) != read_csv(good.replace(b"41.5", b"41.6"))
    assert read_csv(b"") == "SourceError: /file.csv: is empty; it holds no messages"


def test_an_error_that_names_no_file_is_a_fault(monkeypatch):
    from cdpipe.engine.files.paths import SourceError

    from . import targets

    def refuse(*_):
        raise SourceError("cannot be read")

    monkeypatch.setattr(targets, "read_file", refuse)
    with pytest.raises(Fault, match="names no file"):
        read_csv(b"a,b\n")


def test_every_recipe_makes_a_parquet_file():
    for kind in range(20):
        assert make_parquet(bytes([3, kind]) + b"1.5|abc||\xff\n" + bytes([4, 0]) + b"x").startswith(b"PAR1")
