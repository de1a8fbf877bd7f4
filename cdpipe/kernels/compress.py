"""Values of which some are kept, moved together: 64 bytes of them in one instruction, where a processor has it.

Compiled, this is LLVM's own `masked.compressstore`; elsewhere LLVM makes a branch a value of it. Under
`NUMBA_DISABLE_JIT` it is the plain Python next to it, which says what it means.
"""

from typing import Any, Final

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from cdpipe.kernels.memory import Int

MOVED: Final = 64
"""Bytes of values that are looked at together."""


def _compress_plain(values: NDArray[Any], at: Int, mask: np.uint64, out: NDArray[Any], to: Int) -> None:
    for i in range(MOVED // values.itemsize):
        if int(mask) >> i & 1:
            out[to] = values[at + i]
            to += 1


def _compress(_: Any, values: Any, at: Any, mask: Any, out: Any, to: Any) -> Any:  # noqa: ANN401, ARG001 - Numba calls it by these names
    bits = values.dtype.bitwidth
    lanes = 8 * MOVED // bits
    vector, marks = ir.VectorType(ir.IntType(bits), lanes), ir.VectorType(ir.IntType(1), lanes)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
        source, target = (
            builder.gep(context.make_array(signature.args[k])(context, builder, args[k]).data, [args[k + 1]])
            for k in (0, 3)
        )
        taken = builder.load(builder.bitcast(source, vector.as_pointer()))
        taken.align = bits // 8
        wanted = args[2] if lanes == 64 else builder.trunc(args[2], ir.IntType(lanes))
        kind = ir.FunctionType(ir.VoidType(), [vector, target.type, marks])
        name = f"llvm.masked.compressstore.v{lanes}i{bits}"
        store = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(store, [taken, target, builder.bitcast(wanted, marks)])
        return context.get_dummy_value()

    return types.void(values, types.int64, types.uint64, out, types.int64), generate


compress = _compress_plain if numba.config.DISABLE_JIT else intrinsic(_compress)
"""(values, at, mask, out, to): of the 64 bytes of unsigned integers from `values[at]` copy those whose bit is set.

They go to `out[to]` and after it, next to each other; bit i is that of `values[at + i]`. All 64 bytes must exist.
"""
