"""Values of which some are kept, moved together: 64 bytes of them in one instruction, where a processor has it.

Compiled, this is LLVM's own `vector.compress` and a store of a whole vector; elsewhere LLVM moves a value at a time.
LLVM's `masked.compressstore` writes the kept values alone, but AMD's Zen 4 does that in microcode: 51 ns for 64 bytes,
where compressing within a register and writing all of it takes 6. Under `NUMBA_DISABLE_JIT` it is the plain Python
next to it, which says what it means.
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
"""Bytes of values that are looked at together, and of those that are written."""


def _compress_plain(values: NDArray[Any], at: Int, mask: np.uint64, out: NDArray[Any], to: Int) -> None:
    lanes = MOVED // values.itemsize
    kept = [values[at + i] for i in range(lanes) if int(mask) >> i & 1]
    for i in range(lanes):
        out[to + i] = kept[i] if i < len(kept) else 0


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
        kind = ir.FunctionType(vector, [vector, marks, vector])
        name = f"llvm.experimental.vector.compress.v{lanes}i{bits}"
        gather = cgutils.get_or_insert_function(builder.module, kind, name)
        packed = builder.call(gather, [taken, builder.bitcast(wanted, marks), ir.Constant(vector, None)])
        written = builder.store(packed, builder.bitcast(target, vector.as_pointer()))
        written.align = bits // 8
        return context.get_dummy_value()

    return types.void(values, types.int64, types.uint64, out, types.int64), generate


compress = _compress_plain if numba.config.DISABLE_JIT else intrinsic(_compress)
"""(values, at, mask, out, to): of the 64 bytes of unsigned integers from `values[at]` copy those whose bit is set.

They go to `out[to]` and after it, next to each other, and zeros behind them, 64 bytes in all; bit i is that of
`values[at + i]`. All 64 bytes must exist, here and there.
"""
