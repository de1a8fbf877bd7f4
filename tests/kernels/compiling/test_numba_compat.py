"""Each private part of Numba is as cdpipe needs it: the test that fails names the one that broke."""

import pickle
from pathlib import Path
from types import SimpleNamespace

import numba
import pytest

from cdpipe.kernels.compiling import numba_compat as compat


def test_numba_s_steps_are_those_that_are_replaced_and_left_out():
    state = SimpleNamespace(func_ir=None, flags=numba.core.compiler.Flags())
    plan = compat.DefaultPassBuilder.define_nopython_pipeline(state)
    steps = [step for step, _ in plan.passes]
    for step in (compat.NativeLowering, compat.InlineClosureLikes, compat.NopythonRewrites):
        assert step in steps


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (compat.JITCodeLibrary, "_optimize_final_module"),
        (compat.JITCodeLibrary, "_finalize_final_module"),
        (compat.CompilerBase, "_compile_core"),
        (compat.CompilerBase, "define_pipelines"),
        (compat.NativeLowering, "run_pass"),
        (compat.CompileResult, "_find_referenced_environments"),
        (compat.CompileResult, "_rebuild"),
        (compat._dynfunc, "make_function"),
        (compat.rtsys, "initialize"),
        (compat.cgutils, "global_constant"),
    ],
)
def test_what_is_called_or_written_over_is_there(owner, name):
    assert callable(getattr(owner, name))


def test_what_is_kept_of_a_compiled_function_can_be_read_back():
    assert {"library", "fndesc"} <= set(compat.CompileResult._fields)
    assert pickle.loads(compat.dumps(("a", 1))) == ("a", 1)


def test_machine_code_has_a_folder_of_the_user():
    assert Path(compat.AppDirs(appname="numba", appauthor=False).user_cache_dir).is_absolute()


def test_a_type_is_the_one_that_numba_names():
    assert compat.types.int64 is numba.int64
