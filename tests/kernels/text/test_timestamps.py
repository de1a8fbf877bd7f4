import datetime as dt
import decimal
import re

import numba
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from texts import MALFORMED, NULL, NULL_WORDS, OK, as_cells, load_plain
from vehicle_ids import strip

from cdpipe.kernels.buffers import cells as memory
from cdpipe.kernels.text import calendar, timestamps

PLAIN, PLAIN_CALENDAR = load_plain("text.timestamps"), load_plain("text.calendar")
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose
US = dt.timedelta(microseconds=1)
UTC, EASTERN, NAIVE, NAMED = timestamps.UTC, timestamps.EASTERN, timestamps.NAIVE, timestamps.NAMED
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August"]
MONTHS += ["September", "October", "November", "December"]
NAME = "(?P<n>(?i:" + "|".join(name[:length] for length in (9, 3) for name in MONTHS) + "))"
CLOCK = r"(?P<H>[0-9]{1,2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]+))?)?"
BASIC_CLOCK = r"(?P<H>[0-9]{2})(?P<M>[0-9]{2})(?:(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]+))?)?"
ZONE = (
    r"(?P<half> (?i:[AP]M))?(?: (?P<et>\[ET\])|"
    r"(?P<utc> ?(?:[Zz]|UTC|GMT|(?P<sign>[+-])(?P<oh>[0-9]{2})(?::?(?P<om>[0-9]{2}))?))?(?P<name>\[[\w+/:-]+\])?)"
)
MOMENTS = [
    re.compile(form + ZONE, re.ASCII)
    for form in (
        rf"(?P<y>[0-9]{{4}})(?P<mark>[-/])(?P<m>[0-9]{{1,2}})(?P=mark)(?P<d>[0-9]{{1,2}})(?:[Tt]|,? ){CLOCK}",
        rf"(?P<y>[0-9]{{4}})(?P<mark>[-/ ]){NAME}(?P=mark)(?P<d>[0-9]{{1,2}})(?:[Tt]|,? ){CLOCK}",
        rf"(?P<y>[0-9]{{4}})(?P<m>[0-9]{{2}})(?P<d>[0-9]{{2}})(?:[Tt]|,? ){BASIC_CLOCK}",
        rf"(?P<m>[0-9]{{1,2}})/(?P<d>[0-9]{{1,2}})/(?P<y>[0-9]{{4}}),? {CLOCK}",
        rf"{NAME} (?P<d>[0-9]{{1,2}}),? (?P<y>[0-9]{{4}}),? {CLOCK}",
        rf"(?P<d>[0-9]{{1,2}})(?P<mark>[- ]){NAME}(?P=mark)(?P<y>[0-9]{{4}}),? {CLOCK}",
    )
]
EPOCH_MS = re.compile(r"[1-9][0-9]*(\.[0-9]+)?(e[+]?[0-9]+)?", re.IGNORECASE)
FORMS = ["%m/%d/{y} %I:%M:%S %p", "%m/%d/{y} %H:%M:%S.%f", "{y}-%m-%dT%H:%M:%S.%fZ", "{y}-%m-%d %H:%M:%S.%f [ET]"]
FORMS += ["{y}-%m-%dT%H:%M:%S", "{y}-%m-%dT%H:%M:%SZ[UTC]", "{y}-%m-%dT%H:%M:%S.%f[UTC]", "{y}-%m-%d %H:%M:%S+05:45"]
FORMS += ["{y}/%m/%d %I:%M:%S.%f %p", "{y} %b %d %I:%M:%S %p", "%b %d, {y} %I:%M %p", "%d-%B-{y} %H:%M:%S GMT"]
FORMS += [
    "{y}%m%dT%H%M%S,%fZ",
    "{y}%m%d %H%M",
    "{y}-%m-%dt%H:%MZ[UTC]",
    "{y}-%m-%dT%H:%M:%S.%f-05:00[America/New_York]",
]
FORMS += ["{y}-%m-%dT%H:%M:%S[America/New_York]", "{y}-%m-%d %H:%M:%S+00", "{y}-%m-%d %H:%M:%S.%f000 UTC"]
moments = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999))  # noqa: DTZ001
MALFORMED_TEXTS = """13/01/2019 10:00:00 AM|31/07/2019 10:00:00 AM|02/30/2019 10:00:00 AM|02/29/2019 10:00:00 AM
02/29/1900 10:00:00|07/31/2019 13:00:00 PM|07/31/2019 00:00:00 AM|07/31/2019 12:60:00 PM|07/31/2019 12:41:60 PM
07/31/2019 24:00:00|07/31/2019|07/31/19 12:41:59|07-31-2019 12:41:59|07/31/2019 12:41:59 XM|07/31/2019 12:41:59PM
07/31/2019 12:41:59. PM|07/31/2019T12:41:59|07/31/2019 12:41:59 PMs|07/31/2019 12:41:59 P|07/31/0000 12:41:59
2019-13-01T00:00:00|2019-00-01T00:00:00|2019-04-31T00:00:00|2019-04-00T00:00:00|2100-02-29T00:00:00|0000-01-01T00:00:00
2019-07-31|2019-07-31T12|2019-07-31T12:4|2019-07-31T12:41.5|2019-07-31T12:41:59.|2019-07-31T12:41:59.12a|2019-07-31T12:41:59.1234567a
2019-07-31T24:00:00|2019-07-31T12:41:60|2019-07-31T23:59:60Z|2016-12-31T23:59:60-05:00|2016-12-31T23:59:60 [ET]
2016-12-31T23:59:61Z|1971-12-31T23:59:60Z|2016-12-31T22:59:60Z|2019-07-31T12:41:59ZZ|2019-07-31T12:41:59Z[]
2019-07-31T12:41:59Z[A B]|2019-07-31T12:41:59[UTC|2019-07-31T12:41:59 utc|2019-07-31T12:41:59 EST
2019-07-31T12:41:59 [Asia/Tokyo]
2019 07 31 12:41:59|2019-07/31 12:41:59|Jul 31 12:41:59 2019|Jul 31, 19 12:41:59|Juli 31, 2019 12:41:59
31 Ju 2019 12:41:59
Jul 31, 2019|31/Jul/2019 12:41:59|Jul-31-2019 12:41:59|Jul 32, 2019 12:41:59|31-Jul-2019T12:41:59|July 31, 2019T12:41:59
20190731T12:41:59|20190731T1241.5|20190731T124|20190731|2019073T124159|2019-07-31T124159|20191301T000000
1.564576919E9|1564576919.5|1.564576919E12x|1.564576919E|1.564576919E+|1.E12|1564576919000.|1564576919E-3|.1E14|0.1564576919E13
999999999.9E1|1E15|1E999999999999|15645769190000.0e1|-1.5E12|+1.5E12
2019-07-31T12:41:59Z [ET]|2019-07-31T12:41:59 [et]|2019-07-31T12:41:59 [MT]
2019-07-31T12:41:59 [UTC]
2019-07-31T12:41:59+24:00|2019-07-31T12:41:59+05:60|2019-07-31T12:41:59+5:00|2019-07-31T12:41:59+0a00|2019-07-31T12:41:59+05:
2019-07-31T12:41:59+05:300|2019-07-31T12:41:59+053000
0001-01-01T00:00:00+00:01|9999-12-31T23:59:59-00:01|now|1564576919|0564576919000|-1564576919000
15645769190000|20190731124159|1564576919x00|12:41:59|//////////|----------"""


def read_timestamp(text):
    """Say by Python's own means what `parse_timestamps` must make of a cell: (microseconds, status, zone)."""
    if strip(text).lower() in NULL_WORDS:
        return 0, NULL, 0
    word = strip(text).decode("latin-1")
    if EPOCH_MS.fullmatch(word):
        with decimal.localcontext(prec=60, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN):
            number = decimal.Decimal(word)
            return (int(number * 1000), OK, 0) if 10**10 <= number < 10**13 else (0, MALFORMED, 0)
    try:
        (part,) = [match.groupdict() for form in MOMENTS if (match := form.fullmatch(word))]
        zone = zone_of(part)
        return read_parts(part, zone), OK, zone
    except (ValueError, OverflowError):
        return 0, MALFORMED, 0


def zone_of(part):
    if part["utc"] or part["name"] == "[UTC]":
        return UTC
    if part["et"]:
        return EASTERN
    return NAMED if part["name"] else NAIVE


def read_parts(part, zone):
    month = int(part["m"]) if "m" in part else 1 + [name[:3] for name in MONTHS].index(part["n"][:3].title())
    hour, minute, second = int(part["H"]), int(part["M"]), int(part["S"] or 0)
    if part["half"]:
        hour = dt.datetime.strptime(f"{hour:02}{part['half']}", "%I %p").hour  # noqa: DTZ007
    leap = dt.timedelta(seconds=second == 60)
    micro = int((part["f"] or "0")[:6].ljust(6, "0"))
    moment = dt.datetime(int(part["y"]), month, int(part["d"]), hour, minute, second - leap.seconds, micro)  # noqa: DTZ001
    if part["sign"]:
        if int(part["oh"]) > 23 or int(part["om"] or 0) > 59:
            raise ValueError("an offset is less than a day")
        moment -= dt.timedelta(hours=int(part["oh"]), minutes=int(part["om"] or 0)) * (1 if part["sign"] == "+" else -1)
    if leap and (
        zone in (EASTERN, NAMED) or moment.year < 1972 or f"{moment:%m-%d %H:%M}" not in ("06-30 23:59", "12-31 23:59")
    ):
        raise ValueError("no leap second")
    return (moment + leap - EPOCH) // US


def check(texts, module=timestamps):
    found = module.parse_timestamps(*as_cells(texts))
    assert list(zip(*(array.tolist() for array in found), strict=True)) == [read_timestamp(text) for text in texts]


@pytest.mark.parametrize("module", [timestamps, PLAIN], ids=["compiled", "plain"])
@pytest.mark.parametrize(
    ("text", "expected", "zone"),
    [
        ("07/31/2019 12:41:59 PM", "2019-07-31T12:41:59", NAIVE),
        ("07/31/2019 12:00:00 AM", "2019-07-31T00:00:00", NAIVE),
        ("07/08/2019 01:02:03 pm", "2019-07-08T13:02:03", NAIVE),
        ("07/31/2019 11:59:59.25 PM", "2019-07-31T23:59:59.250000", NAIVE),
        ("07/31/2019 23:59:59.1234569", "2019-07-31T23:59:59.123456", NAIVE),
        ("2018-11-06T16:38:55.678Z[UTC]", "2018-11-06T16:38:55.678000", UTC),
        ("2019-04-30T18:30:12.345 [ET]", "2019-04-30T18:30:12.345000", EASTERN),
        ("2020-02-29 00:00:00[UTC]", "2020-02-29T00:00:00", UTC),
        (" 2019-01-01T00:30:00+01:00\t", "2018-12-31T23:30:00", UTC),
        ("2019-01-01T00:30:00.5-0730", "2019-01-01T08:00:00.500000", UTC),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999", UTC),
        ("1564576919123", "2019-07-31T12:41:59.123000", UTC),
        ("10000000000", "1970-04-26T17:46:40", UTC),
        ("9999999999999", "2286-11-20T17:46:39.999000", UTC),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00", NAIVE),
        ("9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59.999999", NAIVE),
        ("2017-12-05T16:33Z[UTC]", "2017-12-05T16:33:00", UTC),
        ("2017-12-05T16:33Z", "2017-12-05T16:33:00", UTC),
        ("2017-12-05 16:33", "2017-12-05T16:33:00", NAIVE),
        ("12/5/2017 16:33", "2017-12-05T16:33:00", NAIVE),
        ("12/5/2017, 4:33:58 PM", "2017-12-05T16:33:58", NAIVE),
        ("1/2/2017 04:33:58 PM -0500", "2017-01-02T21:33:58", UTC),
        ("2017/12/05 04:33:58 PM", "2017-12-05T16:33:58", NAIVE),
        ("2017/12/05 16:33:58.5", "2017-12-05T16:33:58.500000", NAIVE),
        ("2017 Dec 05 04:33:58 PM", "2017-12-05T16:33:58", NAIVE),
        ("2017-Dec-05 16:33:58", "2017-12-05T16:33:58", NAIVE),
        ("Dec 5, 2017 4:33:58 PM", "2017-12-05T16:33:58", NAIVE),
        ("September 05, 2017, 12:33 am", "2017-09-05T00:33:00", NAIVE),
        ("05-DEC-2017 16:33:58 UTC", "2017-12-05T16:33:58", UTC),
        ("5 may 2017 16:33:58Z", "2017-05-05T16:33:58", UTC),
        ("2017-12-05 16:33:58 UTC", "2017-12-05T16:33:58", UTC),
        ("2017-12-05 16:33:58.000 GMT", "2017-12-05T16:33:58", UTC),
        ("2017-12-05 16:33:58+00", "2017-12-05T16:33:58", UTC),
        ("2017-12-05 16:33:58-07", "2017-12-05T23:33:58", UTC),
        ("2017-12-05T16:33:58.123456789Z", "2017-12-05T16:33:58.123456", UTC),
        ("2017-12-05T16:33:58,123Z", "2017-12-05T16:33:58.123000", UTC),
        ("2017-12-05T11:33:58-05:00[America/New_York]", "2017-12-05T16:33:58", UTC),
        ("2017-12-05T16:33:58Z[Etc/GMT+1]", "2017-12-05T16:33:58", UTC),
        ("2017-12-05T11:33:58[America/New_York]", "2017-12-05T11:33:58", NAMED),
        ("20171205T163358Z", "2017-12-05T16:33:58", UTC),
        ("20171205 1633", "2017-12-05T16:33:00", NAIVE),
        ("20171205T113358.25-0500", "2017-12-05T16:33:58.250000", UTC),
        ("2017-12-05t16:33:58z", "2017-12-05T16:33:58", UTC),
        ("1512491638000.0", "2017-12-05T16:33:58", UTC),
        ("1512491638000.5", "2017-12-05T16:33:58.000500", UTC),
        ("1512491638000.0009999", "2017-12-05T16:33:58", UTC),
        ("1.512491638E12", "2017-12-05T16:33:58", UTC),
        ("1.5124916381234567e+12", "2017-12-05T16:33:58.123456", UTC),
        ("15124916380e2", "2017-12-05T16:33:58", UTC),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00", UTC),
        ("2017-01-01T08:59:60.75+09:00", "2017-01-01T00:00:00.750000", UTC),
        ("06/30/2015 11:59:60 PM", "2015-07-01T00:00:00", NAIVE),
    ],
)
def test_forms_met_in_files(module, text, expected, zone):
    values, status, zones = module.parse_timestamps(*as_cells([text.encode()]))
    assert (EPOCH + int(values[0]) * US).isoformat() == expected
    assert (status[0], zones[0]) == (OK, zone)


@pytest.mark.parametrize("module", [timestamps, PLAIN], ids=["compiled", "plain"])
def test_what_is_no_moment_is_malformed(module):
    texts = [text.encode() for line in MALFORMED_TEXTS.splitlines() for text in line.split("|")]
    texts += [b"\0na", b"\0nan", b"\0", b"\x002019-07-31T12:41:59Z", b"2019-07-31T12:41:59Z\0", b"1564576919000\0"]
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


@given(st.lists(st.binary(max_size=30) | st.text("0123456789-/:.,TZtz[]UECGe +APMDec", max_size=30).map(str.encode)))
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


def parts_by_pandas(us):
    """Calendar parts as pandas has them, under their names."""
    index = pd.DatetimeIndex(us.view("M8[us]"))
    named = {name: getattr(index, name) for name in ("month", "day", "year", "hour", "minute", "second")}
    return {**named, "pm": (index.hour >= 12).astype(np.int8)}


def check_parts(us, module=timestamps):
    parts = module.calendar_parts(us)
    expected = parts_by_pandas(us)
    assert parts._fields == (*expected,)
    for name, values in parts._asdict().items():
        assert values.dtype == (np.int16 if name == "year" else np.int8)
        assert values.tolist() == expected[name].tolist(), name


LEAST, GREATEST = np.array(["0001-01-01", "9999-12-31T23:59:59.999999"], "M8[us]").view(np.int64).tolist()


def test_calendar_parts_are_those_of_pandas_over_ten_thousand_years():
    limits = np.array([LEAST, GREATEST, -1, 0])
    days = np.arange("0001-01-01", "10000-01-01", np.timedelta64(31, "D"), dtype="M8[D]").astype("M8[us]")
    us = np.concatenate([limits, days.view(np.int64), np.random.default_rng(2).integers(LEAST, GREATEST, 20_000)])
    check_parts(us)
    check_parts(us[:200], PLAIN)
    whole_days = timestamps.days_since_epoch(us)
    assert whole_days.tolist() == us.view("M8[us]").astype("M8[D]").view(np.int64).tolist()


EDGES = np.array(
    [f"{year:04}-{day}" for year in (2, 1600, 1899, 1900, 1969, 1970, 1971, 2000, 2020, 2100) for day in
     ("01-01", "02-28", "03-01", "12-31", "07-01T12:00", "07-01T13:00")] + ["1904-02-29", "2000-02-29", "2020-02-29"],
    "M8[us]",
).view(np.int64)  # fmt: skip


@pytest.mark.parametrize("module", [timestamps, PLAIN], ids=["compiled", "plain"])
@pytest.mark.parametrize("off", [-86_400_000_000, -1_000_000, -1, 0, 1, 999_999, 1_000_000, 86_399_999_999])
def test_parts_at_the_edges_of_days_and_years_in_any_order(module, off):
    """Most rows are of the day of the row before them: here days go up, down, and stay."""
    for us in (EDGES, np.sort(EDGES), np.sort(EDGES)[::-1], np.repeat(EDGES, 2), EDGES[::7]):
        check_parts(us + off, module)


@given(
    us=st.lists(st.integers(LEAST, GREATEST) | st.integers(-3 * 86_400_000_000, 3 * 86_400_000_000), max_size=30),
    repeats=st.integers(1, 3),
)
def test_parts_of_any_moments_compiled_and_plain(us, repeats):
    check_parts(np.repeat(np.array(us, np.int64), repeats))
    check_parts(np.repeat(np.array(us, np.int64), repeats), PLAIN)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NumPy refuses the year -290308, which machine code wraps around")
def test_parts_of_a_null_are_harmless_to_the_rows_after_it():
    nat = np.iinfo(np.int64).min
    us = np.array([nat, 0, 1_564_576_919_000_000, nat, nat, -1, LEAST, nat, GREATEST, nat])
    parts, good = timestamps.calendar_parts(us), us != nat
    for name, expected in parts_by_pandas(us[good]).items():
        assert getattr(parts, name)[good].tolist() == expected.tolist()


@pytest.mark.parametrize("module", [timestamps, PLAIN], ids=["compiled", "plain"])
def test_parts_are_of_int64_alone_in_any_layout(module):
    wide = np.array([[0, 86_400_000_000], [1, -1]])
    wide.flags.writeable = False
    assert module.calendar_parts(wide[:, 1]).day.tolist() == [2, 31]
    assert [values.size for values in module.calendar_parts(np.empty(0, np.int64))] == [0] * 7
    for wrong in (np.zeros(2), np.zeros(2, np.int32), np.zeros(2, "M8[us]"), wide):
        with pytest.raises(TypeError, match="int64"):
            module.calendar_parts(wrong)


def refine_by_python(us, mark_ms, coarse):
    """Say of each the nearest moment with that mark among those of the minutes around, as Python counts."""
    for time, mark, rough in zip(us, mark_ms, coarse, strict=True):
        if not (rough and 0 <= mark <= 60_999):
            yield time, rough
            continue
        minute = time // 60_000_000 * 60_000_000 + mark * 1000
        yield min((minute + shift for shift in (0, -60_000_000, 60_000_000)), key=lambda each: abs(each - time)), 0


SECONDS = (st.integers(-3, 3) | st.integers(-(2**43), 2**43)).map(lambda second: 1_000_000 * second)
INSTANTS = SECONDS | st.integers(-(2**62), 2**62) | st.integers(-2_000_001, 2_000_001) | st.just(LEAST)
MARKS = (
    st.integers(-70_000, 70_000)
    | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([0, 65535, 60_999, -1, 999, 2**32 - 1, 2**32, 2**31])
)


CALENDARS = pytest.mark.parametrize("module", [calendar, PLAIN_CALENDAR], ids=["compiled", "plain"])


@CALENDARS
@given(triples=st.lists(st.tuples(INSTANTS, MARKS, st.integers(0, 1)), max_size=30), repeats=st.integers(1, 3))
def test_coarse_times_are_refined_as_python_does(module, triples, repeats):
    us, marks, coarse = ([triple[i] for triple in triples for _ in range(repeats)] for i in range(3))
    given_ = np.array(us, np.int64), np.array(marks, np.int64), np.array(coarse, np.int8)
    refined, still, distant = module.refine_seconds(*given_)
    expected = list(refine_by_python(us, marks, coarse))
    assert (refined.dtype, still.dtype) == (np.int64, np.int8)
    assert refined.tolist() == [moment for moment, _ in expected]
    assert still.tolist() == [rough for _, rough in expected]
    assert distant == sum(abs(moment - time) > 1_000_000 for (moment, _), time in zip(expected, us, strict=True))


@CALENDARS
@given(us=st.lists(INSTANTS, max_size=40), repeats=st.integers(1, 3))
def test_whole_seconds_are_marked_and_finer_times_counted(module, us, repeats):
    us = [time for time in us for _ in range(repeats)]
    marks, finer = module.mark_whole_seconds(np.array(us, np.int64))
    assert marks.dtype == np.int8
    assert marks.tolist() == [int(time % 1_000_000 == 0) for time in us]
    assert finer == sum(time % 1_000_000 != 0 and time != LEAST for time in us)


@CALENDARS
def test_refining_leaves_its_input_and_wants_a_mark_for_each_time(module):
    wide = np.array([[0, 1_001], [5, 2_002], [2_000_000, 3]])
    wide.flags.writeable = False
    refined, _, _ = module.refine_seconds(wide[:, 0], wide[:, 1], np.int8([1, 0, 1]))
    assert refined.tolist() == [1_001_000, 5, 3_000]
    refined[:] = 7
    assert wide[:, 0].tolist() == [0, 5, 2_000_000]
    with pytest.raises(ValueError, match="2 timestamps, 1 second marks and 2 flags"):
        module.refine_seconds(np.zeros(2, np.int64), np.zeros(1, np.int64), np.zeros(2, np.int8))
    with pytest.raises(TypeError, match="int64"):
        module.refine_seconds(np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.int8))


@pytest.mark.parametrize("module", [timestamps, PLAIN], ids=["compiled", "plain"])
@given(
    texts=st.lists(
        st.sampled_from([b"", b" ", b"x", b"soon", b"1564576919000", b"2019-07-31T12:41:59 ",
                         b"2564576919000", b"2019-07-31T12:41:59Z",
                         b"2019-07-31T12:41:58Z", b"2019-07-31 12:41:59 [ET]", b"07/31/2019 12:41:59 PM",
                         b"07/31/2019 12:41:59 AM", b"nan", b"2019-07-31T12:41:5xZ"]),
        max_size=12,
    ),
    repeats=st.integers(1, 3),
)  # fmt: skip
def test_texts_that_follow_themselves_or_others_of_their_length_are_each_read(module, texts, repeats):
    """The text of the row before is not read again: values, statuses and zones go with it, and with no other."""
    check([text for text in texts for _ in range(repeats)], module)


def test_a_bad_timestamp_leaves_its_neighbours_alone():
    column = pa.array(["2019-07-31T12:41:59Z", "soon", None, "07/31/2019 12:41:59 PM"], type=pa.large_string())
    _, offsets, text = column.buffers()
    bounds = memory.view_int64(offsets)
    values, status, _ = timestamps.parse_timestamps(text, bounds[:-1], bounds[1:])
    assert values[0] == values[3] == 1_564_576_919_000_000
    assert status.tolist() == [OK, MALFORMED, NULL, OK]
    assert len(timestamps._parse_timestamps.signatures) == 1
