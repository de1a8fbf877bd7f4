import math
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import MALFORMED, NULL, OK, as_cells, bits, load_plain, read_float
from vehicle_ids import is_null, strip

from cdpipe.kernels.buffers import cells as memory
from cdpipe.kernels.text import numbers

PLAIN = load_plain("text.numbers")
HARD = [
    b"9007199254740993",  # half-way between two floats: to even
    b"9007199254740992.999999999999999999999999999",
    b"9007199254740993.000000000000000000000000001",
    b"1e23",
    b"8.988465674311580e307",
    b"1.7976931348623157e308",
    b"1.7976931348623158e308",
    b"1.7976931348623159e308",  # beyond float64
    b"2.2250738585072014e-308",
    b"2.2250738585072011e-308",  # the subnormal that hung PHP and Java
    b"4.9406564584124654e-324",
    b"2.4703282292062327e-324",
    b"2.4703282292062328e-324",
    b"1e-400",
    b"1e400",
    b"0e999999999999999999999",
    b"1e99999999999999999999",
    b"1e-99999999999999999999",
    b"0." + b"0" * 400 + b"1e401",
    b"1" + b"0" * 400 + b"e-400",
    b"123456789012345678901234567890",
    b"6.631236846766476e-316",
    b"3.2378839133029012895883524125015321748630094233e-319",
    b"7.2057594037927933e16",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9999999999999999999",
    b"10000000000000000000",
    b"00000000000000000000000000000000.5",
    b"-0",
    b"-0.0e5",
]
WORDS = [b"", b" ", b"NaN", b"nan", b"NULL", b"None", b"NA", b"N/A", b"n/a", b"n\x0fa", b"nann", b"+nan", b"inf"]
WORDS += [b"-inf", b"Infinity", b"1_0", b"0x10", b"1e", b"1e+", b".", b"+", b"-", b".e5", b"--1", b"1.2.3", b"1,5"]
WORDS += [b"<NA>", b"\\N", b"#N/A", b"NaT", b"\0na", b"\0nan", b"\0\0NA", b"na\0", b"<na", b"\\", b"nil"]
WORDS += ["\ufeff1.5".encode(), "\xa07\u200b".encode(), "\ufeff NULL\r".encode(), "7\xa0\x80".encode(), b"\xbf7"]
WORDS += [b" 1.5\t", b"\r\n1.5\x0b", b"1 5", b"+.5", b"5.", b"5.e3", b"1E5", b"1\x00", b"\xb2", b"\xef\xbc\x91"]
integer_texts = st.from_regex(rb"[ ]?[+-]?0{0,3}[0-9]{0,20}(\.0{0,3}|\.5|e1)?[ ]?", fullmatch=True)


def check_floats(texts, module=numbers):
    values, status = module.parse_float(*as_cells(texts))
    expected = [read_float(text) for text in texts]
    assert status.tolist() == [code for _, code in expected]
    assert bits(values) == bits([value for value, _ in expected])


def read_integer(text):
    word = strip(text)
    if is_null(word):
        return 0, NULL
    whole, _, fraction = word.partition(b".")
    digits = whole.lstrip(b"+-") if whole[:1] in (b"+", b"-") and whole[1:2].isdigit() else whole
    if not digits.isdigit() or fraction.strip(b"0") or not -(2**63) <= int(whole) < 2**63:
        return 0, MALFORMED
    return int(whole), OK


@pytest.mark.parametrize("module", [numbers, PLAIN], ids=["compiled", "plain"])
def test_hard_numbers_and_odd_words_are_read_as_python_reads_them(module):
    with np.errstate(over="ignore"):
        check_floats(HARD + WORDS + [b"-" + text for text in HARD], module)


def test_every_kind_of_float_comes_back_to_the_bit():
    rng = np.random.default_rng(1)
    values = rng.integers(0, 2**64, 30_000, dtype=np.uint64).view(np.float64)
    check_floats([repr(value).encode() for value in values[np.isfinite(values)].tolist()])


def test_any_digits_with_any_exponent_round_as_python_does():
    rng = np.random.default_rng(2)
    digits = rng.integers(1, 10**19, 30_000, dtype=np.uint64) // 10 ** rng.integers(0, 19, 30_000).astype("uint64")
    exponents = rng.integers(-345, 311, 30_000)
    check_floats([b"%de%d" % pair for pair in zip(digits.tolist(), exponents.tolist(), strict=True)])


def test_halves_between_floats_round_to_even_with_all_their_digits():
    rng = np.random.default_rng(3)
    odds, shifts = rng.integers(2**52, 2**53, 3000), rng.integers(0, 80, 3000)
    halves = [(2 * int(m) + 1) << int(s) for m, s in zip(odds, shifts, strict=True)]
    check_floats([str(half + step).encode() for half in halves for step in (-1, 0, 1)])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.integers(0, 25))
@settings(max_examples=60, deadline=None)
def test_fixed_and_scientific_formats(values, places):
    check_floats([f"{value:.{places}{form}}".encode() for value in values for form in "fe"])


@given(st.lists(st.binary(max_size=12) | st.text("0123456789.eE+-nNaAul/ \t_", max_size=30).map(str.encode)))
@settings(max_examples=60, deadline=None)
def test_hostile_bytes_compiled_and_plain(texts):
    check_floats(texts)
    with np.errstate(over="ignore"):
        check_floats(texts, PLAIN)
    expected = [read_integer(text) for text in texts]
    for module in (numbers, PLAIN):
        with np.errstate(over="ignore"):
            values, status = module.parse_integer(*as_cells(texts))
        assert list(zip(values.tolist(), status.tolist(), strict=True)) == expected


def test_ordinary_numbers_are_never_left_to_python(monkeypatch):
    def refuse(text):
        raise AssertionError(text)

    monkeypatch.setattr(numbers, "decide_float", refuse)
    rng = np.random.default_rng(4)
    check_floats([repr(value).encode() for value in rng.uniform(-180, 180, 20_000).tolist()])
    with pytest.raises(AssertionError, match="5e-324"):
        check_floats([b"5e-324"])


@given(st.lists(integer_texts, min_size=1))
@settings(max_examples=100, deadline=None)
def test_integers(texts):
    values, status = numbers.parse_integer(*as_cells(texts))
    assert list(zip(values.tolist(), status.tolist(), strict=True)) == [read_integer(text) for text in texts]


def test_integers_at_the_limits():
    texts = [b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"-9223372036854775809"]
    texts += [b"18446744073709551617", b"-0", b"12.0", b"12.", b"12.000", b"12.5", b"1e3", b".0", b"000" * 9 + b"7"]
    values, status = numbers.parse_integer(*as_cells(texts))
    assert values.tolist() == [2**63 - 1, 0, -(2**63), 0, 0, 0, 12, 12, 12, 0, 0, 0, 7]
    assert status.tolist() == [0, 2, 0, 2, 2, 0, 0, 0, 0, 2, 2, 2, 0]


def test_a_bad_cell_leaves_its_neighbours_alone():
    values, status = numbers.parse_float(*as_cells([b"1.5", b"x", b"", b"-2.5"]))
    assert status.tolist() == [OK, MALFORMED, NULL, OK]
    assert bits(values) == bits([1.5, math.nan, math.nan, -2.5])


def test_arrow_text_is_read_in_place():
    column = pa.array(["1.5", None, "abc", "-7", "", "1e5"], type=pa.large_string()).slice(1)
    _, offsets, text = column.buffers()
    bounds = memory.view_int64(offsets)[column.offset : column.offset + len(column) + 1]
    view = memory.view_bytes(text)
    assert (view.ctypes.data, bounds.base is not None) == (text.address, True)
    assert memory.view_int64(offsets).ctypes.data == offsets.address
    values, status = numbers.parse_float(text, bounds[:-1], bounds[1:])
    assert status.tolist() == [NULL, MALFORMED, OK, NULL, OK]
    assert values[[2, 4]].tolist() == [-7.0, 1e5]


def test_one_machine_function_serves_every_kind_of_memory():
    cells = as_cells([b"1", b"22"])
    frozen = np.frombuffer(cells[0], dtype=np.uint8)
    assert not frozen.flags.writeable
    for data in (cells[0], bytearray(cells[0]), memoryview(cells[0]), frozen, frozen.copy()):
        assert numbers.parse_float(data, *cells[1:])[0].tolist() == [1.0, 22.0]
        assert np.shares_memory(memory.view_bytes(data), np.frombuffer(data, dtype=np.uint8))
    assert len(numbers._parse_float.signatures) == 1


def test_misaligned_bounds_are_copied_to_where_kernels_can_read_them():
    padded = b"x" + np.array([0, 2], dtype=np.int64).tobytes()
    bounds = np.frombuffer(memoryview(padded)[1:], dtype=np.int64)
    assert not bounds.flags.aligned
    assert numbers.parse_float(b"42", bounds[:1], bounds[1:])[0].tolist() == [42.0]


def test_a_view_keeps_its_owner_alive():
    view = memory.view_bytes(bytearray(b"7" * 100_000))
    assert bytes(view) == b"7" * 100_000


def test_no_references_are_leaked():
    cells = [memory.view_bytes(b"12"), *(memory.view_int64(np.array([at])) for at in (0, 2))]
    before = [sys.getrefcount(array) for array in cells]
    for _ in range(100):
        numbers.parse_float(*cells)
    assert [sys.getrefcount(array) for array in cells] == before


@pytest.mark.parametrize(
    ("starts", "stops", "error", "message"),
    [
        ([0, 1], [1], ValueError, "2 starts but 1 stops"),
        ([-1], [1], ValueError, "from byte -1 to 1"),
        ([0], [4], ValueError, "only from 0 to 3"),
        (np.array([0], np.int32), np.array([1], np.int32), TypeError, "large_string"),
        ([[0]], [[1]], TypeError, "got 2 of int64"),
    ],
)
def test_cells_that_are_none_are_refused(starts, stops, error, message):
    with pytest.raises(error, match=message):
        numbers.parse_float(b"123", np.asarray(starts), np.asarray(stops))


def test_no_cells_and_backward_cells():
    values, status = numbers.parse_float(b"", np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert values.size == status.size == 0
    assert numbers.parse_float(b"123", np.array([2]), np.array([1]))[1].tolist() == [NULL]
