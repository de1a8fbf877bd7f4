"""Timestamps as text to microseconds since 1970: the forms met in real files, and never a guess between two."""

import numpy as np

from cdpipe.kernels.buffers.allocation import allot
from cdpipe.kernels.buffers.cells import MALFORMED, NULL, OK, Bytes, Int, Integers, Memory, Statuses, strip, view_cells
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.text.calendar import calendar_parts, days_since_epoch
from cdpipe.kernels.text.eight_bytes import is_same
from cdpipe.kernels.text.numbers import is_null_word
from cdpipe.kernels.text.time_forms import read_other_forms
from cdpipe.kernels.text.time_parts import (
    BAD,
    EASTERN,
    GREATEST_US,
    LEAST_EPOCH_DIGITS,
    LEAST_US,
    MOST_EPOCH_DIGITS,
    NAIVE,
    NAMED,
    SECOND_US,
    UTC,
    count_us,
    read_fraction,
    read_half,
    read_two,
    read_usual_zone,
)

__all__ = [
    "EASTERN",
    "GREATEST_US",
    "LEAST_US",
    "NAIVE",
    "NAMED",
    "UTC",
    "calendar_parts",
    "days_since_epoch",
    "parse_timestamps",
]


@jit_inlined
def _read_clock(data: Bytes, at: Int) -> Int:
    """Read `HH:MM:SS`, 24 hours, to microseconds; `BAD` if it is none."""
    hour, minute, second = read_two(data, at), read_two(data, at + 3), read_two(data, at + 6)
    if data[at + 2] != 58 or data[at + 5] != 58 or hour > 23 or minute > 59 or second > 59:
        return BAD
    return (hour * 3600 + minute * 60 + second) * SECOND_US


@jit_inlined
def _read_iso(data: Bytes, start: Int, stop: Int) -> tuple[Int, int]:
    """Read `YYYY-MM-DDTHH:MM:SS`, fraction, zone: (microseconds or `BAD`, zone)."""
    if stop - start < 19 or data[start + 7] != 45 or data[start + 10] not in (84, 32):
        return BAD, UTC
    year = read_two(data, start) * 100 + read_two(data, start + 2)
    clock_us = _read_clock(data, start + 11)
    value = count_us(year, read_two(data, start + 5), read_two(data, start + 8), clock_us)
    at, fraction_us = read_fraction(data, start + 19, stop)
    if value == BAD or at < 0:
        return BAD, UTC
    offset_us, zone = read_usual_zone(data, at, stop)
    if offset_us == BAD:
        return BAD, UTC
    return value + fraction_us - offset_us, zone


@jit_inlined
def _read_us(data: Bytes, start: Int, stop: Int) -> Int:
    """Read `MM/DD/YYYY HH:MM:SS`, fraction, ` AM` or ` PM`, to microseconds; `BAD` if it is none."""
    if stop - start < 19 or data[start + 5] != 47 or data[start + 10] != 32:
        return BAD
    year = read_two(data, start + 6) * 100 + read_two(data, start + 8)
    clock_us = _read_clock(data, start + 11)
    value = count_us(year, read_two(data, start), read_two(data, start + 3), clock_us)
    at, fraction_us = read_fraction(data, start + 19, stop)
    if value == BAD or at < 0:
        return BAD
    at, shift_us = read_half(data, at, stop, read_two(data, start + 11))
    return value + fraction_us + shift_us if shift_us != BAD and at == stop else BAD


@jit_inlined
def _read_epoch_ms(data: Bytes, start: Int, stop: Int) -> Int:
    """Read 11 to 13 digits, the first not 0, as milliseconds; in microseconds, `BAD` if it is none."""
    if not LEAST_EPOCH_DIGITS <= stop - start <= MOST_EPOCH_DIGITS or data[start] == 48:
        return BAD
    value = np.int64(0)
    for i in range(start, stop):
        digit = np.int64(data[i]) - 48
        if not 0 <= digit <= 9:
            return BAD
        value = value * 10 + digit
    return value * 1000


@jit_inlined
def scan_usual_timestamp(data: Bytes, start: Int, stop: Int) -> tuple[Int, int, int]:
    """Read one cell as `parse_timestamps` does, if it is of a usual form, else as malformed: (value, status, zone)."""
    start, stop = strip(data, start, stop)
    if start >= stop or is_null_word(data, start, stop):
        return 0, NULL, UTC
    value: Int = BAD
    zone = UTC
    if stop - start > 4 and data[start + 2] == 47:
        value, zone = _read_us(data, start, stop), NAIVE
    elif stop - start > 4 and data[start + 4] == 45:
        value, zone = _read_iso(data, start, stop)
    else:
        value = _read_epoch_ms(data, start, stop)
    if not LEAST_US <= value <= GREATEST_US:
        return 0, MALFORMED, UTC
    return value, OK, zone


@jit_borrowing
def _parse_timestamps(
    data: Bytes, starts: Integers, stops: Integers, values: Integers, marks: tuple[Statuses, Statuses]
) -> None:
    status, zone = marks
    last, last_length = np.int64(0), np.int64(0)
    for i in range(starts.size):
        start, length = starts[i], stops[i] - starts[i]
        # messages come about in the order of their times, many in a second: the last one's text is not read again
        if length == last_length and length > 0 and is_same(data, start, last, length):
            values[i], status[i], zone[i] = values[i - 1], status[i - 1], zone[i - 1]
        else:
            values[i], status[i], zone[i] = scan_usual_timestamp(data, start, stops[i])
            last, last_length = start, length


def parse_timestamps(data: Memory, starts: Memory, stops: Memory) -> tuple[Integers, Statuses, Statuses]:
    """Read timestamps to the microsecond.

    Forms, white space around them ignored:

    - `2019-07-31T12:41:59`, with a `t` or a blank for the `T`; `2019/07/31 12:41:59`; `20190731T124159`.
    - `07/31/2019 12:41:59 PM`, one digit where one will do: month first, always.
    - `Jul 31, 2019 12:41:59`, `2019 Jul 31 …`, `31 Jul 2019 …`, `31-Jul-2019 …`: English names of months, whole too.
    - Milliseconds since 1970 UTC, at least 10**10 and below 10**13, without sign or leading zero: 1970-04-26 to the
      year 2286. A fraction and an exponent (`1.5e12`) are read. Ten digits are malformed: as seconds they are a
      moment of 2001 to 2286, so taking them for milliseconds would move it to the spring of 1970 without a word.
      14 digits may be a date and a clock run together, more are micro- or nanoseconds.

    A clock is followed by:

    - a fraction of a second, with a point or a comma, cut off behind its sixth digit; seconds may be left out, as
      Java does where they are 0.
    - ` AM` or ` PM` with hours 1-12 (12 AM is 0 h); without one, hours are 0-23.
    - its zone: nothing, `Z`, `UTC`, `GMT`, `[UTC]`, ` [ET]`, an offset `+HH`, `+HHMM` or `+HH:MM` (`-` likewise), or
      the name of one, `[America/New_York]`. Of an offset (or `Z`) and a name, the offset decides.

    Malformed are also: a date alone, which is no moment; a day before its month in numbers; years of two digits; a
    point without digits behind it; and what the calendar lacks (years 1 to 9999, leap years), before or after the
    offset is applied. Second 60 is read where leap seconds have been, at 23:59:60 UTC on the last day of a June or a
    December: it is the next second's beginning, as POSIX has it.

    Parameters
    ----------
    data, starts, stops
        The cells, see `cdpipe.kernels.buffers.cells.view_cells`.

    Returns
    -------
    values : int64[n]
        Microseconds since 1970-01-01T00:00; 0 where the status is not `OK`.
    status : uint8[n]
        `OK`, `NULL` (empty or a null word, see `numbers.parse_float`) or `MALFORMED`.
    zone : uint8[n]
        `UTC` if the value is. Else it is the reading of a local clock, which the caller converts: `NAIVE` if no zone
        is named, `EASTERN` if it is ` [ET]` (New York's), `NAMED` if it is the name in square brackets at the end.

    Raises
    ------
    TypeError, ValueError
        If the arrays are no cells, see `view_cells`.
    """
    text, begins, ends = view_cells(data, starts, stops)
    values = allot(begins.size, np.int64)
    status, zone = np.empty(begins.size, dtype=np.uint8), np.empty(begins.size, dtype=np.uint8)
    _parse_timestamps(text, begins, ends, values, (status, zone))
    others = np.flatnonzero(status == MALFORMED)
    if others.size:
        read_other_forms(text, (begins, ends), others, (values, status, zone))
    return values, status, zone
