"""`make peers`: the data are frozen, everyone does the same work, and the referee sees what is wrong."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks._peers import messages, stages
from benchmarks._peers.agreement import Referee
from benchmarks._peers.implementations import BY_NAME
from benchmarks._peers.reference import sort_rows

ROWS = 6_000
TIMED = [stage for stage in stages.STAGES if stage.task not in ("job", "scaling", "history")]
NAMED = {stage.name: stage for stage in stages.STAGES}


@pytest.fixture(scope="module")
def files(data_folder):
    return messages.make(ROWS)


@pytest.fixture(scope="module")
def referee(files):
    return Referee(files[1])


@pytest.fixture(scope="module")
def everyone(files, tmp_path_factory):
    """Each implementation once, so that its clean messages are made once."""
    made = {}

    def get(name):
        if name in stages.PEERS:
            pytest.importorskip(name, reason=f"{name} is of the extra `peers`, which only `make peers` installs")
        if name not in made:
            made[name] = BY_NAME[name](*files, tmp_path_factory.mktemp(name))
        return made[name]

    return get


def test_messages_are_frozen():
    table = messages.messages(0, 2_000, 2_000)
    digest = hashlib.sha256()
    for name in table.column_names:
        digest.update("\n".join(map(str, table[name].to_pylist())).encode())
    assert digest.hexdigest() == "a6b35dbe7a3dd8a1d0b66d8d6254efbf05800721d95966be78507c62220712e8", (
        "raise messages.VERSION if this is meant"
    )


def test_no_heading_says_that_it_is_unknown():
    """Row 10,852,422 of 15 million was the only one: rounded to 360, which the standard keeps for no heading."""
    table = messages.messages(10_852_000, 1_000, 15_000_000)
    assert table["coreData_heading"][422].as_py() == 0.0
    assert 358 < max(table["coreData_heading"].to_pylist()) < 360


def test_messages_do_not_depend_on_chunks():
    whole = messages.messages(0, 1_000, 5_000)
    parts = [messages.messages(start, 250, 5_000) for start in range(0, 1_000, 250)]
    assert whole.equals(pa.concat_tables(parts).combine_chunks())


def test_both_files_hold_the_same_messages_in_the_files_form(files):
    csv, parquet = files
    table = pq.read_table(parquet)
    assert table.num_rows == ROWS
    assert len(csv.read_text(encoding="utf-8").splitlines()) == ROWS + 1
    first = csv.read_text(encoding="utf-8").splitlines()[1].split(",")
    assert first[0] == table["metadata_generatedAt"][0].as_py()
    assert table["coreData_position"][0].as_py() == first[-1]
    holes = [table[name].null_count / ROWS for name in ("coreData_position_lat", "coreData_elevation")]
    assert all(0.001 < share < 0.008 for share in holes)
    assert len(set(table["coreData_id"].to_pylist())) == ROWS // messages.ROWS_A_VEHICLE


def test_failure_leaves_no_data_behind(tmp_path, monkeypatch):
    def fail(start, count, rows):
        if start:
            raise OSError("No space left on device")
        return real(start, count, rows)

    real = messages.messages
    monkeypatch.setenv("CDPIPE_BENCH_DATA", str(tmp_path))
    monkeypatch.setattr(messages, "messages", fail)
    monkeypatch.setattr(messages, "CHUNK_ROWS", 500)
    with pytest.raises(OSError, match="No space left"):
        messages.make(1_000)
    assert [path.name for path in tmp_path.rglob("*")] == [f"peers-v{messages.VERSION}"]


# The referee


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("stage", TIMED, ids=lambda stage: stage.name)
def test_everyone_does_the_same_work(stage, name, everyone, referee):
    if name not in stage.implementations:
        assert not stage.has_peers
        return
    one = everyone(name)
    work = one.prepare(stage)
    for _ in range(2):
        result = work()
        rows, complaints = referee.judge(stage, one, result)
        one.discard(result)
        assert complaints == []
        assert rows > 0


class Tampered:
    """An implementation whose result somebody changed."""

    def __init__(self, one, change, name=stages.OURS):
        self.one, self.change, self.name = one, change, name

    def table(self, result, columns):
        return self.change(self.one.table(result, columns))

    def take(self, name):
        raise AssertionError("only geographic stages are tampered with")


def edit(table, name, change):
    values = table[name].to_numpy().copy()
    change(values)
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def first_attacker(table):
    return int(np.flatnonzero(table["isAttacker"].to_numpy())[0])


def nudge(values, row=0, by=1e-9):
    values[row] += by


TAMPERING = {
    "a row too few": ("clean", lambda t: t.slice(1), "must leave"),
    "a row twice": ("clean", lambda t: pa.concat_tables([t, t.slice(0, 1)]), "must leave"),
    "a position off by a nanodegree": ("clean", lambda t: edit(t, "x_pos", nudge), "positions differ"),
    "a far row kept": ("spatial/20km", lambda t: t, "outside the radius"),
    "a near row lost": ("spatial/20km", lambda t: t.slice(1), "are missing that are within"),
    "an innocent moved": (
        "attack/offset_rand",
        lambda t: edit(t, "y_pos", lambda v: nudge(v, int(np.argmin(t["isAttacker"].to_numpy())))),
        "do not attack have moved",
    ),
    "an attacker moved too far": (
        "attack/offset_rand",
        lambda t: edit(t, "y_pos", lambda v: nudge(v, first_attacker(t), 0.1)),
        "attackers moved by",
    ),
    "nobody attacks": (
        "attack/offset_rand",
        lambda t: edit(t, "isAttacker", lambda v: v.fill(0)),
        "0 of 60 vehicles attack, and not 18",
    ),
    "a message is innocent and its vehicle is not": (
        "attack/offset_rand",
        lambda t: edit(t, "isAttacker", lambda v: v.put(first_attacker(t), 0)),
        "some of its messages only",
    ),
    "a swap with nobody": (
        "attack/swap_rand",
        lambda t: edit(t, "x_pos", lambda v: nudge(v, first_attacker(t))),
        "no other message's",
    ),
    "two distances": (
        "attack/offset_const_per_id",
        lambda t: edit(t, "y_pos", lambda v: nudge(v, first_attacker(t), 3e-5)),
        "by more than one distance",
    ),
}


@pytest.mark.parametrize("case", TAMPERING)
def test_the_referee_sees_what_is_wrong(case, everyone, referee):
    name, change, complaint = TAMPERING[case]
    one, stage = everyone(stages.OURS), NAMED[name]
    shown = NAMED["spatial/200km"] if case == "a far row kept" else stage
    result = one.prepare(shown)()
    _rows, complaints = referee.judge(stage, Tampered(one, change), result)
    assert any(complaint in each and each.startswith(f"{name}, cdpipe: ") for each in complaints), complaints


def test_the_referee_sees_a_column_lost_in_gathering(everyone, referee, tmp_path):
    one, stage = everyone(stages.OURS), NAMED["gather"]
    table = pq.read_table(one.parquet)
    for change, complaint in (
        (table.drop_columns(["coreData_speed"]), "columns are missing: coreData_speed"),
        (table.slice(1), "5,999 rows, and not 6,000"),
        (edit(table, "coreData_position_lat", nudge), "coreData_position_lat differs"),
    ):
        pq.write_table(change, tmp_path / "gathered.parquet")
        _rows, complaints = referee.judge(stage, one, tmp_path / "gathered.parquet")
        assert complaints == [f"gather, cdpipe: {complaint}"]


def test_an_id_and_a_heading_do_not_make_up_for_each_other_in_a_key():
    table = pa.table(
        {
            "coreData_id": pa.array([1, 2], pa.uint32()),
            "coreData_heading": [0.0002, 0.0001],
            "coreData_speed": [3.0, 3.0],
            "coreData_elevation": [2100.0, 2100.0],
        }
    )
    first, second = sort_rows(table)[0]
    assert first != second
