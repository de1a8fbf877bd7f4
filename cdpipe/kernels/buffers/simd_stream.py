"""Values on their way to memory that nobody reads soon: float64 made float32, written past the caches.

A store to memory that is not in a cache first reads its line; writing past the caches (LLVM's `nontemporal`) does not.
"""

from typing import Any, Final

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.extending import intrinsic
from numpy.typing import NDArray

from cdpipe.kernels.buffers.cells import Int
from cdpipe.kernels.compiling.numba_compat import types

STREAMED: Final = 16
"""Values that are written at once: 64 bytes, a line of the cache."""

_DOUBLES: Final = ir.VectorType(ir.DoubleType(), STREAMED)
_SINGLES: Final = ir.VectorType(ir.FloatType(), STREAMED)
_BYTES: Final = 4 * STREAMED


def _stream_plain(values: NDArray[np.float64], at: Int, out: NDArray[np.float32], to: Int) -> None:
    out[to : to + STREAMED] = values[at : at + STREAMED]


def _settle_plain() -> None:
    pass


def _point(context: Any, builder: Any, of: Any, array: Any, at: Any, vector: Any) -> Any:  # noqa: ANN401 - untyped Numba
    place = builder.gep(context.make_array(of)(context, builder, array).data, [at])
    return builder.bitcast(place, vector.as_pointer())


def _stream(_: Any, values: Any, at: Any, out: Any, to: Any) -> Any:  # noqa: ANN401, ARG001 - Numba calls it by these names
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
        taken = builder.load(_point(context, builder, signature.args[0], args[0], args[1], _DOUBLES))
        taken.align = 8
        single = builder.fptrunc(taken, _SINGLES)
        put = builder.store(single, _point(context, builder, signature.args[2], args[2], args[3], _SINGLES))
        put.align = _BYTES
        put.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(values, types.int64, out, types.int64), generate


def _settle(_: Any) -> Any:  # noqa: ANN401
    def generate(context: Any, builder: Any, _signature: Any, _args: Any) -> Any:  # noqa: ANN401
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


stream_singles = _stream_plain if numba.config.DISABLE_JIT else intrinsic(_stream)
"""(values, at, out, to): write 16 float64 as float32 to an address that is a multiple of 64 bytes."""

settle_streams = _settle_plain if numba.config.DISABLE_JIT else intrinsic(_settle)
"""(): have all that was streamed where other threads see it, before anything else is written."""
