"""SIMD operations: find a byte among 64, copy 32, count in a word of bits, multiply two words in full.

Compiled, each function is a few machine instructions, written as LLVM's own: the loops over bytes that Numba compiles
take ten times as long. Under `NUMBA_DISABLE_JIT` each is the plain Python next to it, which says what it means.
"""

from typing import Any, Final

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.extending import intrinsic
from numpy.typing import NDArray

from cdpipe.kernels.buffers.cells import Bytes, Int
from cdpipe.kernels.compiling.numba_compat import types

WIDTH: Final = 64
"""Bytes that a mask covers."""

COPIED: Final = 32
"""Bytes that a copy takes."""

DIGITS: Final = 16
"""Characters of a number that are looked at together."""

_BYTE: Final = ir.IntType(8)
_WORD32: Final = ir.IntType(32)
_WORD64: Final = ir.IntType(64)


def _match_plain(data: Bytes, at: Int, byte: Int) -> np.uint64:
    found = 0
    for i in range(WIDTH):
        found |= int(data[at + i] == byte) << i
    return np.uint64(found)


def _lowest_plain(mask: np.uint64) -> Int:
    word = int(mask)
    return (word & -word).bit_length() - 1


def _count_plain(mask: np.uint64) -> Int:
    return int(mask).bit_count()


def _highest_plain(mask: np.uint64) -> Int:
    return int(mask).bit_length() - 1


def _multiply_plain(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    high, low = divmod(int(a) * int(b), 1 << 64)
    return np.uint64(high), np.uint64(low)


def _copy_plain(source: Bytes, start: Int, target: NDArray[np.uint8], to: Int) -> None:
    for i in range(COPIED):
        target[to + i] = source[start + i]


def _digits_plain(data: Bytes, stop: Int, length: Int) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    found = [0] * DIGITS
    dots = others = 0
    for i in range(DIGITS - length, DIGITS):
        byte = int(data[stop - DIGITS + i])
        found[i] = byte - 48 if 48 <= byte <= 57 else 0
        dots |= int(byte == 46) << i
        others |= int(byte != 46 and not 48 <= byte <= 57) << i
    if dots:
        first = (dots & -dots).bit_length() - 1
        found = [0, *found[:first], *found[first + 1 :]]
    high, low = (int.from_bytes(bytes(half), "little") for half in (found[:8], found[8:]))
    return np.uint64(high), np.uint64(low), np.uint64(dots), np.uint64(others)


def _point(context: Any, builder: Any, of: Any, array: Any, at: Any, width: int) -> Any:  # noqa: ANN401 - untyped Numba
    """Return the address of `width` bytes from index `at` of an array on, as a vector."""
    place = builder.gep(context.make_array(of)(context, builder, array).data, [at])
    return builder.bitcast(place, ir.VectorType(_BYTE, width).as_pointer())


def _match(_: Any, data: Any, at: Any, byte: Any) -> Any:  # noqa: ANN401, ARG001 - Numba calls it by these names
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
        window = builder.load(_point(context, builder, signature.args[0], args[0], args[1], WIDTH))
        window.align = 1
        pattern = _splat(builder, args[2], WIDTH)
        return builder.bitcast(builder.icmp_unsigned("==", window, pattern), ir.IntType(WIDTH))

    return types.uint64(data, types.int64, types.int64), generate


def _lowest(_: Any, mask: Any) -> Any:  # noqa: ANN401, ARG001
    def generate(_: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


def _count(_: Any, mask: Any) -> Any:  # noqa: ANN401, ARG001
    def generate(_: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate


def _highest(_: Any, mask: Any) -> Any:  # noqa: ANN401, ARG001
    def generate(_: Any, builder: Any, _signature: Any, args: Any) -> Any:  # noqa: ANN401
        zeros = builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.Constant(_WORD64, 63), zeros)

    return types.int64(types.uint64), generate


def _multiply(_: Any, a: Any, b: Any) -> Any:  # noqa: ANN401, ARG001
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(each, wide) for each in args))
        high = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), _WORD64)
        return context.make_tuple(builder, signature.return_type, [high, builder.trunc(product, _WORD64)])

    return types.containers.UniTuple(types.uint64, 2)(types.uint64, types.uint64), generate


def _copy(_: Any, source: Any, start: Any, target: Any, to: Any) -> Any:  # noqa: ANN401, ARG001
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
        taken = builder.load(_point(context, builder, signature.args[0], args[0], args[1], COPIED))
        taken.align = 1
        put = builder.store(taken, _point(context, builder, signature.args[2], args[2], args[3], COPIED))
        put.align = 1
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64), generate


def _splat(builder: Any, value: Any, width: int) -> Any:  # noqa: ANN401
    nothing = ir.Constant(ir.VectorType(_BYTE, width), ir.Undefined)
    first = builder.insert_element(nothing, builder.trunc(value, _BYTE), ir.Constant(_WORD32, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_WORD32, width), [0] * width))


def _digits(_: Any, data: Any, stop: Any, length: Any) -> Any:  # noqa: ANN401, ARG001
    vector = ir.VectorType(_BYTE, DIGITS)
    mask = ir.IntType(DIGITS)

    def every(value: int) -> Any:  # noqa: ANN401
        return ir.Constant(vector, [value] * DIGITS)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
        start = builder.sub(args[1], ir.Constant(_WORD64, DIGITS))
        text = builder.load(_point(context, builder, signature.args[0], args[0], start, DIGITS))
        text.align = 1
        values = builder.sub(text, every(48))
        first = _splat(builder, builder.sub(ir.Constant(_WORD64, DIGITS), args[2]), DIGITS)
        within = builder.icmp_unsigned(">=", ir.Constant(vector, list(range(DIGITS))), first)
        digit, dot = builder.icmp_unsigned("<", values, every(10)), builder.icmp_unsigned("==", text, every(46))
        others = builder.bitcast(builder.and_(within, builder.not_(builder.or_(digit, dot))), mask)
        dots = builder.bitcast(builder.and_(within, dot), mask)
        values = builder.select(builder.and_(within, digit), values, every(0))
        # What stands before the dot moves one byte on, over it.
        moved = builder.shuffle_vector(
            values, every(0), ir.Constant(ir.VectorType(_WORD32, DIGITS), [DIGITS, *range(DIGITS - 1)])
        )
        up_to_dot = builder.xor(dots, builder.sub(dots, ir.Constant(mask, 1)))
        up_to_dot = builder.select(
            builder.icmp_unsigned("==", dots, ir.Constant(mask, 0)), ir.Constant(mask, 0), up_to_dot
        )
        chosen = builder.bitcast(up_to_dot, ir.VectorType(ir.IntType(1), DIGITS))
        values = builder.select(chosen, moved, values)
        halves = builder.bitcast(values, ir.VectorType(_WORD64, 2))
        parts = [builder.extract_element(halves, ir.Constant(_WORD32, i)) for i in range(2)]
        return context.make_tuple(
            builder, signature.return_type, [*parts, builder.zext(dots, _WORD64), builder.zext(others, _WORD64)]
        )

    return types.containers.UniTuple(types.uint64, 4)(data, types.int64, types.int64), generate


match_bytes = _match_plain if numba.config.DISABLE_JIT else intrinsic(_match)
"""(data, at, byte) -> uint64: bit i says whether `data[at + i]` is the byte. All 64 bytes must exist."""

lowest_bit = _lowest_plain if numba.config.DISABLE_JIT else intrinsic(_lowest)
"""(mask) -> int64: number of the lowest bit that is set; of no meaning if none is."""

count_bits = _count_plain if numba.config.DISABLE_JIT else intrinsic(_count)
"""(mask) -> int64: how many bits are set."""

highest_bit = _highest_plain if numba.config.DISABLE_JIT else intrinsic(_highest)
"""(mask) -> int64: number of the highest bit that is set; -1 if none is."""

multiply_words = _multiply_plain if numba.config.DISABLE_JIT else intrinsic(_multiply)
"""(a, b) -> two uint64: the high and the low half of their product of 128 bits."""

copy_bytes = _copy_plain if numba.config.DISABLE_JIT else intrinsic(_copy)
"""(source, start, target, to): copy 32 bytes; all must exist on both sides."""

load_digits = _digits_plain if numba.config.DISABLE_JIT else intrinsic(_digits)
"""(data, stop, length) -> four uint64: the last `length` (at most 16) bytes before `stop`, as digits.

Two words hold 16 digits, 0 to 9, the first in the first word's lowest byte, zeros before the number; a dot is taken
out. Two masks of 16 bits say where dots are, and where anything else that is no digit. All 16 bytes before `stop` must
exist.
"""
