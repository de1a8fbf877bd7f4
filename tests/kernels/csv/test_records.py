import csv as oracle
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import MALFORMED, OK, as_cells, bits, load_plain, read_float

from cdpipe.kernels.csv import bounds as csv
from cdpipe.kernels.csv import records
from cdpipe.kernels.text import numbers, timestamps

PLAIN = load_plain("csv.records")
NAT = np.iinfo(np.int64).min
KINDS = ("floats", "integers", "times", "texts")
LIMITS = (-1e9, 12345.0)
SPAN = (-5, 10**12)
number = st.from_regex(rb"-?[0-9]{0,19}(\\.[0-9]{0,18})?", fullmatch=True)
RARE = [b"2020-02-20T21:45Z", b"2020-02-20T21:45:20[Asia/Tokyo]"]
"""Times that are read the long way."""
time = st.datetimes().map(lambda t: t.strftime("%m/%d/%Y %I:%M:%S %p").encode()) | st.sampled_from(
    [b"2020-02-20T21:45:20.5Z", b"2020-02-20T21:45:20 [ET]", b"1582234444123", b"2020-13-01T00:00:00Z", *RARE]
)
odd = st.sampled_from(
    [b"", b" ", b"nan", b"x", b".", b"-", b"255", b"12.75", b"5e-324", b'"7"', b'"a""b"', b'"a,b"', b'"', b'a"b']
) | st.sampled_from([b'"\\""', b'"\\\\"'])
lines = st.lists(st.lists(number | time | odd, min_size=2, max_size=5).map(b",".join), min_size=1, max_size=30)


def expect(data, places, fields):
    """Say by the other kernels, each with an oracle of its own, what `read_records` must return."""
    cells = csv.find_cells(data, [place for kind in KINDS for place in places[kind]], fields)
    good = cells.status == csv.LINE_OK
    columns = iter(
        (
            np.ascontiguousarray(cells.starts[j, good]),
            np.ascontiguousarray(cells.stops[j, good]),
            cells.escaped[j, good],
        )
        for j in range(cells.starts.shape[0])
    )
    return cells, good, {kind: [next(columns) for _ in places[kind]] for kind in KINDS}


def check(data, places, fields, nulls=((), ()), module=records, naive_is_utc=True):
    wanted = module.want(
        **places,
        float_nulls=[nulls[0]] * len(places["floats"]),
        integer_nulls=[nulls[1]] * len(places["integers"]),
        float_limits=[LIMITS] * len(places["floats"]),
        integer_spans=[SPAN] * len(places["integers"]),
        naive_is_utc=naive_is_utc,
    )
    with np.errstate(over="ignore"):
        found = module.read_records(data, wanted, fields=fields)
    cells, good, columns = expect(data, places, fields)
    assert found.line_index.tolist() == cells.line_index[good].tolist()
    assert found.line_starts.tolist() == cells.line_starts[good].tolist()
    lost = (cells.line_index, cells.line_starts, cells.line_stops, cells.status)
    assert found.rejected.tolist() == [each[~good].tolist() for each in lost]
    faults, impossible = iter(found.faults.tolist()), iter(found.impossible.tolist())
    for values, (starts, stops, _) in zip(found.floats, columns["floats"], strict=True):
        texts = [data[a:b] for a, b in zip(starts, stops, strict=True)]
        expected, status = [read_float(text)[0] for text in texts], [read_float(text)[1] for text in texts]
        if not next(faults):
            assert MALFORMED not in status
            possible = [LIMITS[0] < v < LIMITS[1] or np.isnan(v) for v in expected]
            fit = [good and v not in nulls[0] for good, v in zip(possible, expected, strict=True)]
            assert bits(values) == bits([v if good else np.nan for v, good in zip(expected, fit, strict=True)])
            coded = [v in nulls[0] for v in expected]
            assert next(impossible) == sum(not a and not b for a, b in zip(possible, coded, strict=True))
        else:
            next(impossible)
            # Only Python can tell some subnormal numbers and some of many digits.
            assert MALFORMED in status or any(
                abs(v) < 2.3e-308 or len(t) > 19 for v, t in zip(expected, texts, strict=True)
            )
    for values, null, (starts, stops, _) in zip(found.integers, found.null, columns["integers"], strict=True):
        expected, status = numbers.parse_integer(data, starts, stops)
        assert next(faults) == (MALFORMED in status)
        known = (status == OK) & ~np.isin(expected, nulls[1])
        outside = known & ((expected < SPAN[0]) | (expected > SPAN[1]))
        assert null.tolist() == (~known | outside).tolist()
        assert next(impossible) == outside.sum()
        assert values[~null].tolist() == expected[~null].tolist()
    for values, (starts, stops, _) in zip(found.times, columns["times"], strict=True):
        expected, status, zone = timestamps.parse_timestamps(data, starts, stops)
        settled = (timestamps.UTC, timestamps.NAIVE) if naive_is_utc else (timestamps.UTC,)
        rare = np.array([data[a:b] in RARE for a, b in zip(starts, stops, strict=True)], np.bool_)
        assert next(faults) == bool(rare.any() or MALFORMED in status or not np.isin(zone, settled).all())
        assert values.tolist() == np.where((status == OK) & ~rare, expected, NAT).tolist()
    for packed, offsets, (starts, stops, escaped) in zip(found.packed, found.offsets, columns["texts"], strict=True):
        texts = [data[a:b] for a, b in zip(starts, stops, strict=True)]
        assert offsets.tolist() == np.cumsum([0, *map(len, texts)]).tolist()
        assert packed[: offsets[-1]].tobytes() == b"".join(texts)
        assert next(faults) == escaped.any()
    return found


def places_of(draw, fields):
    parted = {kind: [] for kind in KINDS}
    for place in draw.draw(st.permutations(range(fields))):
        kind = draw.draw(st.sampled_from([*KINDS, None]))
        if kind:
            parted[kind].append(place)
    return parted


@pytest.mark.parametrize("module", [records, PLAIN], ids=["compiled", "plain"])
@given(lines, st.integers(2, 5), st.sampled_from([b"\n", b"\r\n", b"\r\r\n"]), st.booleans(), st.booleans(), st.data())
@settings(max_examples=60, deadline=None)
def test_columns_rows_and_rejects_are_those_of_the_other_kernels(module, table, fields, end, ended, naive_is_utc, draw):
    data = end.join(table) + (end if ended else b"")
    check(data, places_of(draw, fields), fields, ((255.0, 12.75), (255,)), module, naive_is_utc)


@pytest.mark.parametrize("module", [records, PLAIN], ids=["compiled", "plain"])
@given(st.binary(max_size=200) | st.text(',\n"1.- \r\\', max_size=200).map(str.encode), st.data())
@settings(max_examples=60, deadline=None)
def test_hostile_bytes(module, data, draw):
    check(data, places_of(draw, 2), 2, module=module)


@given(lines, st.data())
@settings(max_examples=40, deadline=None)
def test_windows_of_one_mask_long_lines_and_arrays_that_grow_change_nothing(table, draw):
    data = b"\n".join(line for row in table for line in (row, b"", b"1," * draw.draw(st.integers(0, 90)), row)) + b"\n"
    places = places_of(draw, 3)
    whole = check(data, places, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "WINDOW_BYTES", 64)
        patch.setattr(records, "_FEW_LINES", 1)
        patch.setattr(records, "_SAMPLE_BYTES", 1)
        small = check(data, places, 3)
    for name in set(whole._fields) - {"packed"}:
        np.testing.assert_array_equal(getattr(whole, name), getattr(small, name))
    for one, other, offsets in zip(whole.packed, small.packed, whole.offsets, strict=True):
        np.testing.assert_array_equal(one[: offsets[-1]], other[: offsets[-1]])


def test_what_the_csv_module_writes_of_random_numbers_is_read_to_the_last_bit():
    rng = np.random.default_rng(5)
    floats = rng.uniform(-180, 180, 3000).tolist() + (10.0 ** rng.uniform(-5, 12, 3000)).tolist()
    shorter = [round(value, int(digits)) for value, digits in zip(floats, rng.integers(0, 9, 6000), strict=True)]
    whole = rng.integers(-(10**15), 10**15, 6000) // 10 ** rng.integers(0, 15, 6000)
    file = io.StringIO()
    oracle.writer(file, lineterminator="\n").writerows(zip(floats, shorter, whole.tolist(), strict=True))
    wanted = records.want(floats=[1, 0], integers=[2], float_nulls=[(), ()], integer_nulls=[()])
    found = records.read_records(file.getvalue().encode(), wanted, fields=3)
    assert not found.faults.any()
    assert not found.null.any()
    assert [bits(column) for column in found.floats] == [bits(shorter), bits(floats)]
    assert found.integers[0].tolist() == whole.tolist()


def test_plain_numbers_of_every_length_at_every_place_of_the_text():
    texts = [b"1234567890.123456789"[:n] for n in range(21)] + [b"-12.5", b".5", b"5.", b"0000000000000000.5", b"-0.0"]
    texts += [b"%d.%d" % (10**a, 10**b) for a in range(19) for b in range(19)]
    for text in texts:
        for before in range(34):
            data, starts, stops = as_cells([b"9" * before, text, b"7.7"])
            values, status = numbers.parse_float(data, starts[1:2], stops[1:2])
            expected = read_float(text)
            assert (bits(values), status.tolist()) == (bits([expected[0]]), [expected[1]])


def test_times_that_recur_or_nearly_do_are_each_read_as_they_stand():
    stamp = b"02/20/2020 09:45:20 PM"
    near = [stamp[:i] + bytes([stamp[i] ^ 1]) + stamp[i + 1 :] for i in range(len(stamp))]
    texts = [text for one in near for text in (stamp, stamp, one, one, stamp)]
    texts += [b"", b"", b"1582234444123", b"1582234444123", b"158223444412", b"nan", b"nan", stamp, b"x" + stamp]
    good = [t for t in texts if timestamps.parse_timestamps(*as_cells([t]))[1][0] != MALFORMED]
    assert len(good) > 30
    for chosen in (texts, good):
        wanted = records.want(times=[0])
        found = records.read_records(b"\n".join(t + b",0" for t in chosen), wanted, fields=2)
        expected, status, _ = timestamps.parse_timestamps(*as_cells(chosen))
        assert found.times[0].tolist() == np.where(status == OK, expected, NAT).tolist()
        assert found.faults.tolist() == [chosen is texts]


def test_places_outside_the_record_are_refused():
    with pytest.raises(ValueError, match="0 to 1"):
        records.read_records(b"1,2\n", records.want(texts=[2]), fields=2)


def test_a_block_is_read_without_copies_and_by_one_machine_function():
    for data in (b"1,2\n", bytearray(b"1,2\n"), memoryview(b"1,2\n"), np.frombuffer(b"1,2\n", np.uint8)):
        found = records.read_records(data, records.want(integers=[1], integer_nulls=[()]), fields=2)
        assert found.integers.tolist() == [[2]]
    assert len(records._read.signatures) == 1
