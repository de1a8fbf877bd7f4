import datetime as dt
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from texts import MALFORMED, NULL, NULL_WORDS, OK, as_cells, load_plain

from cdpipe.kernels import memory, timestamps

PLAIN = load_plain("timestamps")
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose
US = dt.timedelta(microseconds=1)
CLOCK = rb"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
AMERICAN = re.compile(rb"([0-9]{2})/([0-9]{2})/([0-9]{4}) " + CLOCK + rb"(?: ([aApP])[mM])?")
ISO = re.compile(
    rb"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]" + CLOCK + rb"(Z|Z\[UTC\]|\[UTC\]| \[ET\]|[+-][0-9]{2}:?[0-9]{2})?"
)
EPOCH_MS = re.compile(rb"[1-9][0-9]{10,13}")
FORMS = ["%m/%d/{y} %I:%M:%S %p", "%m/%d/{y} %H:%M:%S.%f", "{y}-%m-%dT%H:%M:%S.%fZ", "{y}-%m-%d %H:%M:%S.%f [ET]"]
FORMS += ["{y}-%m-%dT%H:%M:%S", "{y}-%m-%dT%H:%M:%SZ[UTC]", "{y}-%m-%dT%H:%M:%S.%f[UTC]", "{y}-%m-%d %H:%M:%S+05:45"]
moments = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999))  # noqa: DTZ001
MALFORMED_TEXTS = """13/01/2019 10:00:00 AM|31/07/2019 10:00:00 AM|02/30/2019 10:00:00 AM|02/29/2019 10:00:00 AM
02/29/1900 10:00:00|07/31/2019 13:00:00 PM|07/31/2019 00:00:00 AM|07/31/2019 12:60:00 PM|07/31/2019 12:41:60 PM
07/31/2019 24:00:00|7/31/2019 1:00:00 PM|07/31/2019|07-31-2019 12:41:59|07/31/2019 12:41:59 XM|07/31/2019 12:41:59PM
07/31/2019 12:41:59. PM|07/31/2019T12:41:59|07/31/2019 12:41:59 PMs|07/31/2019 12:41:59 P|07/31/0000 12:41:59
2019-13-01T00:00:00|2019-00-01T00:00:00|2019-04-31T00:00:00|2019-04-00T00:00:00|2100-02-29T00:00:00|0000-01-01T00:00:00
2019-07-31|2019-07-31T12:41|2019-07-31T12:41:59.|2019-07-31T12:41:59.12a|2019-07-31T12:41:59.1234567a
2019-07-31T24:00:00|2019-07-31T12:41:60|2019-07-31t12:41:59|2019-07-31T12:41:59z|2019-07-31T12:41:59ZZ
2019-07-31T12:41:59Z [ET]|2019-07-31T12:41:59 [et]|2019-07-31T12:41:59[ET]|2019-07-31T12:41:59 [MT]
2019-07-31T12:41:59 [UTC]
2019-07-31T12:41:59+24:00|2019-07-31T12:41:59+05:60|2019-07-31T12:41:59+5:00|2019-07-31T12:41:59+0a00|2019-07-31T12:41:59+05
2019-07-31T12:41:59+05:300|2019-07-31T12:41:59+053000
2019/07/31 12:41:59|0001-01-01T00:00:00+00:01|9999-12-31T23:59:59-00:01|now|1564576919|0564576919000|-1564576919000
1564576919000.0|156457691900000|1564576919x00|12:41:59|//////////|----------"""


def read_timestamp(text):
    """Say by Python's own means what `parse_timestamps` must make of a cell: (microseconds, status, zone)."""
    word = text.strip()
    if word.lower() in NULL_WORDS:
        return 0, NULL, 0
    offset, zone = dt.timedelta(0), 0
    if match := AMERICAN.fullmatch(word):
        month, day, year, hour, minute, second = (int(part) for part in match.groups()[:6])
        fraction, half = match[7], match[8]
        if half and not 1 <= hour <= 12:
            return 0, MALFORMED, 0
        hour = hour if half is None else hour % 12 + 12 * (half in b"pP")
    elif match := ISO.fullmatch(word):
        year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
        fraction, mark = match[7], match[8] or b""
        zone = int(mark == b" [ET]")
        if mark[:1] in (b"+", b"-"):
            hours, minutes = int(mark[1:3]), int(mark[-2:])
            if hours > 23 or minutes > 59:
                return 0, MALFORMED, 0
            offset = dt.timedelta(hours=hours, minutes=minutes) * (1 if mark[:1] == b"+" else -1)
    else:
        return (int(word) * 1000, OK, 0) if EPOCH_MS.fullmatch(word) else (0, MALFORMED, 0)
    micro = int((fraction or b"0")[:6].ljust(6, b"0"))
    try:
        return (dt.datetime(year, month, day, hour, minute, second, micro) - offset - EPOCH) // US, OK, zone  # noqa: DTZ001
    except (ValueError, OverflowError):
        return 0, MALFORMED, 0


def check(texts, module=timestamps):
    found = module.parse_timestamps(*as_cells(texts))
    assert list(zip(*(array.tolist() for array in found), strict=True)) == [read_timestamp(text) for text in texts]


@pytest.mark.parametrize("module", [timestamps, PLAIN], ids=["compiled", "plain"])
@pytest.mark.parametrize(
    ("text", "expected", "zone"),
    [
        ("07/31/2019 12:41:59 PM", "2019-07-31T12:41:59", 0),
        ("07/31/2019 12:00:00 AM", "2019-07-31T00:00:00", 0),
        ("07/08/2019 01:02:03 pm", "2019-07-08T13:02:03", 0),
        ("07/31/2019 11:59:59.25 PM", "2019-07-31T23:59:59.250000", 0),
        ("07/31/2019 23:59:59.1234569", "2019-07-31T23:59:59.123456", 0),
        ("2018-11-06T16:38:55.678Z[UTC]", "2018-11-06T16:38:55.678000", 0),
        ("2019-04-30T18:30:12.345 [ET]", "2019-04-30T18:30:12.345000", 1),
        ("2020-02-29 00:00:00[UTC]", "2020-02-29T00:00:00", 0),
        (" 2019-01-01T00:30:00+01:00\t", "2018-12-31T23:30:00", 0),
        ("2019-01-01T00:30:00.5-0730", "2019-01-01T08:00:00.500000", 0),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999", 0),
        ("1564576919123", "2019-07-31T12:41:59.123000", 0),
        ("10000000000", "1970-04-26T17:46:40", 0),
        ("99999999999999", "5138-11-16T09:46:39.999000", 0),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00", 0),
        ("9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59.999999", 0),
    ],
)
def test_forms_met_in_files(module, text, expected, zone):
    values, status, zones = module.parse_timestamps(*as_cells([text.encode()]))
    assert (EPOCH + int(values[0]) * US).isoformat() == expected
    assert (status[0], zones[0]) == (OK, zone)
    assert (timestamps.UTC, timestamps.EASTERN) == (0, 1)


@pytest.mark.parametrize("module", [timestamps, PLAIN], ids=["compiled", "plain"])
def test_what_is_no_moment_is_malformed(module):
    texts = [text.encode() for line in MALFORMED_TEXTS.splitlines() for text in line.split("|")]
    values, status, zones = module.parse_timestamps(*as_cells(texts))
    assert [text for text, code in zip(texts, status, strict=True) if code != MALFORMED] == []
    assert not values.any()
    assert not zones.any()


@given(st.lists(st.tuples(moments, st.sampled_from(FORMS)), min_size=1))
@settings(max_examples=100, deadline=None)
def test_every_moment_in_every_form(pairs):
    check([moment.strftime(form.format(y=f"{moment.year:04}")).encode() for moment, form in pairs])


@given(moments, st.sampled_from(FORMS), st.integers(0, 35), st.binary(max_size=2), st.integers(0, 2))
@settings(max_examples=200, deadline=None)
@example(dt.datetime(2019, 7, 31), FORMS[2], 26, b"\xff", 1)  # noqa: DTZ001
def test_damaged_moments_compiled_and_plain(moment, form, place, patch, length):
    text = moment.strftime(form.format(y=f"{moment.year:04}")).encode()
    texts = [text[:place] + patch + text[place + length :], text[:place], text[place:], text]
    check(texts)
    check(texts, PLAIN)


@given(st.lists(st.binary(max_size=30) | st.text("0123456789-/:.TZ[]UE +APM", max_size=30).map(str.encode)))
@settings(max_examples=100, deadline=None)
def test_hostile_bytes_compiled_and_plain(texts):
    check(texts)
    check(texts, PLAIN)


def test_every_day_of_years_that_matter():
    years = (1, 4, 100, 400, 1800, 1900, 1970, 2000, 2019, 2020, 2100, 9999)
    check([b"%04d-%02d-%02dT00:00:00" % (y, m, d) for y in years for m in range(14) for d in range(33)])


def test_pandas_reads_the_same():
    moments = pd.to_datetime(np.random.default_rng(1).integers(0, 2**32, 5000), unit="s")
    texts = moments.strftime("%m/%d/%Y %I:%M:%S %p")
    expected = pd.to_datetime(texts, format="%m/%d/%Y %I:%M:%S %p").as_unit("us").asi8
    assert timestamps.parse_timestamps(*as_cells([text.encode() for text in texts]))[0].tolist() == expected.tolist()


def test_calendar_parts_are_those_of_pandas_over_ten_thousand_years():
    limits = np.array(["0001-01-01", "9999-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999"], dtype="M8[us]")
    days = np.arange("0001-01-01", "10000-01-01", np.timedelta64(31, "D"), dtype="M8[D]").astype("M8[us]")
    least, greatest = limits[:2].view(np.int64)
    us = np.concatenate(
        [limits.view(np.int64), days.view(np.int64), np.random.default_rng(2).integers(least, greatest, 20_000)]
    )
    expected = pd.DatetimeIndex(us.view("M8[us]"))
    parts = timestamps.calendar_parts(us)
    for name, values in parts._asdict().items():
        assert values.dtype == np.int32
        assert values.tolist() == getattr(expected, name).tolist(), name
    whole_days = timestamps.days_since_epoch(us)
    assert whole_days.tolist() == us.view("M8[us]").astype("M8[D]").view(np.int64).tolist()
    some = PLAIN.calendar_parts(us[:200])
    assert [values.tolist() for values in some] == [values[:200].tolist() for values in parts]


def test_parts_of_a_null_are_harmless():
    assert all(values.size == 1 for values in timestamps.calendar_parts(np.array([np.iinfo(np.int64).min])))


def test_a_bad_timestamp_leaves_its_neighbours_alone():
    column = pa.array(["2019-07-31T12:41:59Z", "soon", None, "07/31/2019 12:41:59 PM"], type=pa.large_string())
    _, offsets, text = column.buffers()
    bounds = memory.view_int64(offsets)
    values, status, _ = timestamps.parse_timestamps(text, bounds[:-1], bounds[1:])
    assert values[0] == values[3] == 1_564_576_919_000_000
    assert status.tolist() == [OK, MALFORMED, NULL, OK]
    assert len(timestamps._parse_timestamps.signatures) == 1
