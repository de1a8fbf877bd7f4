"""Machine code kept on disk: used again, never stale, and safe when many processes write it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

USE = """
import numpy as np
from cdpipe.kernels.text import numbers
data = np.frombuffer(b"1.52.25", np.uint8)
values, status = numbers.parse_float(data, np.array([0, 3]), np.array([3, 7]))
assert values.tolist() == [1.5, 2.25], values
print(sum(numbers._parse_float.stats.cache_hits.values()))
"""


PARTS = """
from cdpipe.kernels.compiling.jit import jit, jit_borrowing, jit_inlined

LIMIT = 3

@jit
def halve(x):
    if x > LIMIT:
        raise ValueError("beyond the limit")
    return x / 2

@jit_inlined
def quarter(x):
    return halve(x) / 2

@jit_borrowing
def eighth(x):
    return quarter(x) / 2

def said(function, x):
    try:
        return function(x)
    except ValueError as error:
        return str(error)

kernels = (eighth, quarter, halve)  # parts are called from Python after they were compiled as parts
print([said(kernel, x) for kernel in kernels for x in (2.0, 4.0)])
print(all(said(kernel, x) == said(kernel.py_func, x) for kernel in kernels for x in (2.0, 4.0)))
print(sum(sum(kernel.stats.cache_hits.values()) for kernel in kernels))
"""


STAGES = """
import sys
import pandas as pd
import cdpipe
from cdpipe.stages.attacks import ATTACKS
from cdpipe.stages.clean import CleanParams
import numba.core.event

class Compiled(numba.core.event.Listener):
    names = []
    def on_start(self, event):
        self.names.append(event.data["dispatcher"].py_func.__name__)
    def on_end(self, event):
        pass

numba.core.event.register("numba:compile", Compiled())
centre = {"latitude": 41.5, "longitude": -106.0}
text = pd.read_csv(sys.argv[1], dtype=str)
for coordinates in ("geographic", "local"):
    clean, _ = cdpipe.clean(text, CleanParams(
        coordinates=coordinates, centre=centre, filters={"within": {"radius_m": 2e5, **centre}}))
    assert len(clean) > 100
    for kind in ATTACKS:
        hit, _ = cdpipe.attack(clean, kind(coordinates=coordinates, centre=centre))
        cdpipe.features(hit)
compiler = [name for name in ("numba.np.arrayobj", "numba.cpython.listobj", "scipy.linalg") if name in sys.modules]
print(len(Compiled.names), ",".join(compiler))
"""


def environment(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "NUMBA_CACHE_DIR": str(folder / "machine-code")}


@pytest.fixture
def copy(tmp_path):
    """A copy of the kernels alone, in a package of their own name."""
    import cdpipe.kernels

    source = Path(cdpipe.kernels.__file__).parent
    target = tmp_path / "cdpipe" / "kernels"
    target.parent.mkdir()
    (tmp_path / "cdpipe" / "__init__.py").write_text("")
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def use(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", USE],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )


def finish(process: subprocess.Popen) -> int:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return int(out)


@pytest.mark.slow
def test_processes_that_compile_at_once_agree_and_the_next_one_compiles_nothing(copy):
    assert all(hits in (0, 1) for hits in [finish(process) for process in [use(copy) for _ in range(3)]])
    assert finish(use(copy)) == 1


@pytest.mark.slow
def test_a_change_in_a_called_kernel_is_not_run_from_old_machine_code(copy):
    finish(use(copy))
    assert finish(use(copy)) == 1
    callee = copy / "cdpipe" / "kernels" / "text" / "decimal_to_float.py"
    callee.write_text(callee.read_text() + "\n# changed\n")
    assert finish(use(copy)) == 0


@pytest.mark.slow
def test_only_what_python_calls_is_kept(copy):
    finish(use(copy))
    kept = {path.name.partition("-")[0].partition(".")[2] for path in (copy / "machine-code").rglob("*.kernel")}
    assert kept == {"_parse_float"}


def test_a_part_works_in_its_kernel_and_by_itself_and_raises_from_both(tmp_path):
    """Also from the machine code on disk: where a part finds what it raises has to be told anew in each process."""
    script = tmp_path / "parts.py"
    script.write_text(PARTS)
    told = [
        subprocess.run(
            [sys.executable, script],
            env={**environment(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for _ in range(2)
    ]
    beyond = "beyond the limit"
    assert [lines[0] for lines in told] == 2 * [str([0.25, beyond, 0.5, beyond, 1.0, beyond])]
    assert [lines[1:] for lines in told] == [["True", "0"], ["True", "3"]]


@pytest.mark.slow
def test_a_later_process_neither_compiles_nor_loads_the_compiler(tmp_path):
    """Every stage and attack, so that machine code which needs more than the loader gives shows itself here."""
    import cdpipe
    from cdpipe.synthetic.generator import SynthParams, synthesize

    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(cdpipe.__file__).parent, tmp_path / "cdpipe", ignore=ignored)  # nobody changes this one
    synthesize(tmp_path / "bsm.csv", SynthParams(rows=400, vehicles=10))
    said = [
        subprocess.run(
            [sys.executable, "-c", STAGES, tmp_path / "bsm.csv"],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.partition(" ")
        for _ in range(2)
    ]
    assert int(said[0][0]) > 50
    assert said[1] == ("0", " ", "\n")
