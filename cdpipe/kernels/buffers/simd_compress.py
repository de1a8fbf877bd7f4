"""Compress: move the kept ones of many values together, 64 bytes of values at a time, in a few instructions.

Compiled, what is kept is put together within a register, and all of that is written. With AVX-512 this is LLVM's own
`vector.compress`; LLVM's `masked.compressstore` writes the kept values alone, but AMD's Zen 4 does that in microcode:
51 ns for 64 bytes, where this takes 6. Without AVX-512 LLVM would move a value at a time, 12 ns for 64 bytes; with AVX2
a table says for each mask of four or eight values how to shuffle them (as Lemire, Kurz and Rupp decode integers,
"Stream VByte", 2018), 3 ns. Under `NUMBA_DISABLE_JIT` it is the plain Python next to it, which says what it means.
"""

from typing import Any, Final

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.extending import intrinsic
from numpy.typing import NDArray

from cdpipe.kernels.buffers.cells import Int
from cdpipe.kernels.compiling.numba_compat import cgutils, types

MOVED: Final = 64
"""Bytes of values that are looked at together, and at most written."""

_AHEAD: Final = 2048
"""Bytes of values that are asked of memory before they are needed: a quarter less time where they come from there."""

_COMPRESSING: Final = {8: "+avx512vbmi2", 16: "+avx512vbmi2", 32: "+avx512f", 64: "+avx512f"}
_SHUFFLING: Final = "+avx2"
_I8: Final = ir.IntType(8)
_I32: Final = ir.IntType(32)
_I64: Final = ir.IntType(64)


def _compress_plain(values: NDArray[Any], at: Int, mask: np.uint64, out: NDArray[Any], to: Int) -> None:
    lanes = MOVED // values.itemsize
    kept = [values[at + i] for i in range(lanes) if int(mask) >> i & 1]
    for i in range(lanes):
        out[to + i] = kept[i] if i < len(kept) else 0


def _compress(_: Any, values: Any, at: Any, mask: Any, out: Any, to: Any) -> Any:  # noqa: ANN401, ARG001 - Numba calls it by these names
    bits = values.dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
        source, target = (
            builder.gep(context.make_array(signature.args[k])(context, builder, args[k]).data, [args[k + 1]])
            for k in (0, 3)
        )
        _fetch(builder, builder.gep(source, [_I64(8 * _AHEAD // bits)]))
        features = context.codegen().magic_tuple()[2].split(",")
        if _SHUFFLING in features and _COMPRESSING[bits] not in features:
            _shuffle_together(builder, bits, source, args[2], target)
        else:
            _compress_together(builder, bits, source, args[2], target)
        return context.get_dummy_value()

    return types.void(values, types.int64, types.uint64, out, types.int64), generate


def _compress_together(builder: Any, bits: int, source: Any, mask: Any, target: Any) -> None:  # noqa: ANN401 - LLVM's
    lanes = 8 * MOVED // bits
    vector, marks = ir.VectorType(ir.IntType(bits), lanes), ir.VectorType(ir.IntType(1), lanes)
    wanted = mask if lanes == 64 else builder.trunc(mask, ir.IntType(lanes))
    name = f"llvm.experimental.vector.compress.v{lanes}i{bits}"
    gather = _declare(builder, name, vector, [vector, marks, vector])
    taken = _load(builder, source, vector)
    packed = builder.call(gather, [taken, builder.bitcast(wanted, marks), ir.Constant(vector, None)])
    _store(builder, packed, target)


def _shuffle_together(builder: Any, bits: int, source: Any, mask: Any, target: Any) -> None:  # noqa: ANN401
    lanes = min(32 * 8 // bits, 8)  # of a register of 32 bytes, but a table of at most 256 entries
    entry, table = _tabulate(bits, lanes)
    where = cgutils.global_constant(builder, f"cdpipe.compress.{bits}", table)
    for first in range(0, 8 * MOVED // bits, lanes):
        some = builder.and_(builder.lshr(mask, _I64(first)), _I64((1 << lanes) - 1))
        order = _load(builder, builder.gep(where, [_I64(0), some]), entry)
        taken = builder.gep(source, [_I64(first)])
        if lanes * bits == 256:
            permute = _declare(builder, "llvm.x86.avx2.permd", entry, [entry, entry])
            packed = builder.call(permute, [_load(builder, taken, entry), order])
        else:
            half = ir.VectorType(_I8, 16)
            permute = _declare(builder, "llvm.x86.ssse3.pshuf.b.128", half, [half, half])
            packed = builder.call(permute, [_widen(builder, _load(builder, taken, entry)), _widen(builder, order)])
            packed = builder.shuffle_vector(
                packed, packed, ir.Constant(ir.VectorType(_I32, entry.count), list(range(entry.count)))
            )
        _store(builder, packed, target)
        target = builder.gep(target, [builder.ctpop(some)])


def _tabulate(bits: int, lanes: int) -> tuple[Any, Any]:
    """Return for each mask of `lanes` values which parts go where, and the type of that: an index a part.

    Parts are words of 32 bits of a register of 32 bytes, else bytes. Behind those that are kept, the first is repeated.
    """
    part = 32 if lanes * bits == 256 else 8
    each = bits // part
    entry = ir.VectorType(ir.IntType(part), lanes * each)
    rows = []
    for mask in range(1 << lanes):
        kept = [lane for lane in range(lanes) if mask >> lane & 1]
        kept += [0] * (lanes - len(kept))
        rows.append(ir.Constant(entry, [lane * each + k for lane in kept for k in range(each)]))
    return entry, ir.Constant(ir.ArrayType(entry, len(rows)), rows)


def _widen(builder: Any, vector: Any) -> Any:  # noqa: ANN401
    """Return a vector of 16 bytes that begins with these."""
    places = ir.Constant(ir.VectorType(_I32, 16), [min(i, vector.type.count) for i in range(16)])
    return builder.shuffle_vector(vector, ir.Constant(vector.type, None), places)


def _fetch(builder: Any, place: Any) -> None:  # noqa: ANN401
    """Ask for what is in memory there; the address need not exist."""
    byte = _I8.as_pointer()
    fetch = _declare(builder, "llvm.prefetch.p0i8", ir.VoidType(), [byte, _I32, _I32, _I32])
    builder.call(fetch, [builder.bitcast(place, byte), _I32(0), _I32(3), _I32(1)])  # to read, to keep, data


def _declare(builder: Any, name: str, result: Any, of: list[Any]) -> Any:  # noqa: ANN401
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, of), name)


def _load(builder: Any, place: Any, vector: Any) -> Any:  # noqa: ANN401
    loaded = builder.load(builder.bitcast(place, vector.as_pointer()))
    loaded.align = 1
    return loaded


def _store(builder: Any, vector: Any, place: Any) -> None:  # noqa: ANN401
    builder.store(vector, builder.bitcast(place, vector.type.as_pointer())).align = 1


compress = _compress_plain if numba.config.DISABLE_JIT else intrinsic(_compress)
"""(values, at, mask, out, to): of the 64 bytes of unsigned integers from `values[at]` copy those whose bit is set.

They go to `out[to]` and after it, next to each other; what is behind them, within 64 bytes, is of no meaning. Bit i is
that of `values[at + i]`. All 64 bytes must exist, here and there.
"""
