import numpy as np
import pandas as pd
import pytest
from attacked_messages import messages
from echo_attack import Echo

from cdpipe import attack
from cdpipe.kernels.sequences.history import NAMES, Track, tell_history
from cdpipe.stages import order
from cdpipe.stages.history.columns import Settings, tell_columns
from cdpipe.stages.order import Key

SETTINGS = Settings(window=4, gap_s=60.0, is_geographic=True)


def ordered(rows=300, vehicles=5):
    rng = np.random.default_rng(rows)
    frame = messages(rows, vehicles).assign(
        metadata_generatedAt=(np.sort(rng.integers(0, 10**8, rows)) * 1000).view("M8[us]"),
        coreData_heading=rng.uniform(0, 360, rows),
    )
    return order.apply(frame)[0]


def test_each_vehicle_is_told_of_by_itself():
    frame = ordered()
    told, left = tell_columns(frame, SETTINGS)
    assert left is None
    for _, part in frame.groupby("vehicle"):
        columns = (part[name].to_numpy() for name in ("x_pos", "y_pos", "coreData_speed", "coreData_heading"))
        track = Track(np.array([0, len(part)]), part["time_us"].to_numpy(), *columns)
        np.testing.assert_array_equal(told[:, part.index], tell_history(track, **SETTINGS._asdict()))


def test_a_made_id_is_a_stream_of_its_own():
    frame, _ = attack(ordered(), Echo(ratio=1.0))
    told, _ = tell_columns(frame, SETTINGS)
    for _, part in frame.groupby(["vehicle", "coreData_id"], observed=True):
        count = told[0, part.index]
        assert count.max() == len(part) - 1 or (part["time_us"].diff() > 60e6).any()
        assert (count == 0).sum() == 1 + (part["time_us"].diff() > 60e6).sum()


def test_one_id_in_several_spellings_is_one_stream():
    frame, _ = attack(ordered(), Echo(ratio=0.0))
    other = frame.assign(coreData_id=frame["coreData_id"].where(frame.index % 2 == 0, "0x" + frame["coreData_id"]))
    np.testing.assert_array_equal(tell_columns(other, SETTINGS)[0], tell_columns(frame, SETTINGS)[0])


@pytest.mark.parametrize("attacking", [None, Echo(ratio=1.0)])
@pytest.mark.parametrize("pieces", [2, 5, 40])
def test_in_pieces_it_is_the_same(attacking, pieces):
    frame = ordered() if attacking is None else attack(ordered(), attacking)[0]
    whole, _ = tell_columns(frame, SETTINGS)
    second = frame["time_us"] // 1_000_000 * 1_000_000
    first = (frame["vehicle"] != frame["vehicle"].shift()) | (second != second.shift())
    places = np.flatnonzero(first)[1:][:: max(1, int(first.sum()) // pieces)]
    told, left = [], None
    for start, stop in zip((0, *places), (*places, len(frame)), strict=True):
        until = Key(int(frame["vehicle"][stop]), int(second[stop])) if stop < len(frame) else None
        part = frame.iloc[start:stop].reset_index(drop=True)
        columns, left = tell_columns(part, SETTINGS, left=left, until=until)
        told.append(columns)
    np.testing.assert_array_equal(np.concatenate(told, axis=1), whole)


def test_what_is_missing_is_named():
    with pytest.raises(KeyError, match="coreData_heading"):
        tell_columns(ordered().drop(columns="coreData_heading"), SETTINGS)


def test_nulls_of_speed_and_heading_are_no_history_of_theirs():
    frame = ordered().assign(coreData_speed=np.nan, coreData_heading=np.nan)
    told = pd.DataFrame(tell_columns(frame, SETTINGS)[0].T, columns=list(NAMES))
    for name in ("history_along_m", "history_across_m", "history_speed_gap_mps", "history_bearing_gap_deg"):
        assert (told[name] == 0).all()
    assert (told["history_displacement_m"] > 0).any()
