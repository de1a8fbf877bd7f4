"""Private parts of Numba; `tests/kernels/compiling/test_numba_compat.py` says which of them broke.

Compiling callees as parts of their kernel halves the time of a first run (`callees`), and Numba's own files of machine
code are pickles that whoever can write them runs (`disk_cache`): neither has a public way.
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
