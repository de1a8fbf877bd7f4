"""Callees of kernels: functions that are compiled once, as a part of their kernel, and never for themselves.

Numba makes of each function a library that Python could call: it writes two wrappers, optimises them with the function,
makes machine code of all three and keeps it, and then links the function into its callers, where it is optimised again.
Of a hundred functions behind a run about thirty are called from Python. The others are parts here: they are only
translated, and optimised and turned into machine code where a kernel holds them, which halves the time of a first run.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cdpipe.kernels.compiling.numba_compat import (
    CompilerBase,
    DefaultPassBuilder,
    InlineClosureLikes,
    JITCodeLibrary,
    NativeLowering,
    NopythonRewrites,
    _dynfunc,
    register_pass,
)

_NEEDLESS: Final = (InlineClosureLikes, NopythonRewrites)
"""Numba's steps for functions within functions and for arithmetic on whole arrays: kernels have neither."""


class _PartLibrary(JITCodeLibrary):  # type: ignore[misc] # numba has no types
    """Code that is linked into callers only."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):  # type: ignore[misc]
    """Numba's translation to LLVM's language, without what it does to have the function called from Python."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:  # noqa: ANN401
        """Translate the function, and tell Numba where its callers find it."""
        state.library = _PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        of, env = lowered.fndesc, lowered.env
        # Callers look a function up by this: what Numba itself takes where there is nothing for Python to call.
        handle = _dynfunc.make_function(of.lookup_module(), of.qualname, of.qualname, 0, env, (state.library,))
        state.targetctx.insert_user_function(handle, of, [state.library])
        state["cr"] = lowered._replace(cfunc=handle)
        return True


class PartCompiler(CompilerBase):  # type: ignore[misc]
    """Compiles what kernels call."""

    def define_pipelines(self) -> list[Any]:
        """Return Numba's steps, the last of them ours."""
        return [_plan(self.state, lowering=_PartLowering)]


class KernelCompiler(CompilerBase):  # type: ignore[misc]
    """Compiles what Python calls."""

    def define_pipelines(self) -> list[Any]:
        """Return Numba's steps."""
        return [_plan(self.state, lowering=NativeLowering)]

    def _compile_core(self) -> Any:  # noqa: ANN401
        with _unlooked_at():
            compiled = super()._compile_core()
        # Where a part finds its Python objects, if it has to raise: Numba does this for what Python can call.
        for environment in compiled._find_referenced_environments():
            compiled.library.codegen.set_env(environment.env_name, environment)
        return compiled


def _plan(state: Any, *, lowering: type[NativeLowering]) -> Any:  # noqa: ANN401
    plan = DefaultPassBuilder.define_nopython_pipeline(state)
    steps = [(lowering if step is NativeLowering else step, why) for step, why in plan.passes if step not in _NEEDLESS]
    plan.passes[:] = steps
    plan._finalized = False
    plan.finalize()
    return plan


@contextmanager
def _unlooked_at() -> Iterator[None]:
    """Keep the search for garbage from the objects there are: a compiler makes many, which sets off many searches."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
