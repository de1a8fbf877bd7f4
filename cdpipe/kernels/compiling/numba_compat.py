"""Private parts of Numba; `tests/kernels/compiling/test_numba_compat.py` says which of them broke.

Neither of their two users has a public way: `callees` compiles what kernels call as parts of these, and `disk_cache`
keeps machine code without Numba's own files, which are pickles.
"""

from numba import _dynfunc
from numba.core import cgutils, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, CompileResult, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.core.typed_passes import NativeLowering, NopythonRewrites
from numba.core.untyped_passes import InlineClosureLikes
from numba.misc.appdirs import AppDirs

__all__ = [
    "AppDirs", "CompileResult", "CompilerBase", "DefaultPassBuilder", "InlineClosureLikes", "JITCodeLibrary",
    "NativeLowering", "NopythonRewrites", "_dynfunc", "cgutils", "dumps", "register_pass", "rtsys", "types",
]  # fmt: skip
