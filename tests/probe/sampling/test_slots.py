import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdpipe.figures import DISK, GIL, IDLE, LOCK, MEMORY, NETWORK, SCHEDULING, SLEEP, UNATTRIBUTED
from cdpipe.probe.sampling.slots import Home, Seen, share_slots
from cdpipe.probe.system.wait_reasons import (
    CHILD,
    EPOLL,
    FUTEX,
    MOVING,
    NAP,
    ON_CORE,
    REMOTE,
    SAMPLED,
    WAKING,
    read_call,
    read_kernel_function,
    read_watched,
)

HERE = Home(threads=2)
TASK, DISPATCH, HELPER = "task", "scheduling", "helper"


def share(seen, *, slots=2, **homes):
    found = share_slots([Seen(1, *each) for each in seen], {1: HERE, **homes}, slots=slots)
    return {name: amount for name, amount in found.items() if amount}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([(TASK, ON_CORE), (TASK, ON_CORE)], {ON_CORE: 2}),
        ([(TASK, ON_CORE), (TASK, DISK)], {ON_CORE: 1, DISK: 1}),
        ([(TASK, SLEEP), (TASK, GIL)], {SLEEP: 1, GIL: 1}),
        ([(TASK, ON_CORE)], {ON_CORE: 1, IDLE: 1}),
        ([(TASK, FUTEX), (TASK, ON_CORE)], {ON_CORE: 1, LOCK: 1}),
        ([(TASK, NETWORK)] * 2, {NETWORK: 2}),
        ([(TASK, UNATTRIBUTED)] * 2, {UNATTRIBUTED: 2}),
        ([(TASK, SLEEP)] * 4, {SLEEP: 2}),
        ([(TASK, SLEEP)] * 3 + [(TASK, DISK)], {SLEEP: 1.5, DISK: 0.5}),
        ([(TASK, ON_CORE)] * 5, {ON_CORE: 2}),
        ([(HELPER, FUTEX)] * 9 + [(TASK, ON_CORE)], {ON_CORE: 1, IDLE: 1}),
    ],
)
def test_tasks_fill_slots_and_say_why_they_wait(seen, expected):
    assert share(seen) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([(TASK, FUTEX), (HELPER, ON_CORE)], {ON_CORE: 1, IDLE: 1}),
        ([(TASK, FUTEX), (HELPER, ON_CORE), (HELPER, ON_CORE)], {ON_CORE: 2}),
        ([(TASK, CHILD), (TASK, CHILD), (HELPER, ON_CORE)], {ON_CORE: 1, UNATTRIBUTED: 1}),
        ([(TASK, FUTEX), (HELPER, DISK)], {DISK: 1, IDLE: 1}),
        ([(TASK, CHILD), (HELPER, SLEEP, True)], {SLEEP: 1, IDLE: 1}),
        ([(TASK, CHILD), (HELPER, SLEEP, False)], {SLEEP: 1, IDLE: 1}),
        ([(TASK, FUTEX), (HELPER, REMOTE), (HELPER, NETWORK)], {NETWORK: 1, IDLE: 1}),
        ([(TASK, FUTEX), (HELPER, SLEEP), (TASK, FUTEX), (HELPER, SLEEP)], {SLEEP: 2}),
        ([(TASK, WAKING), (HELPER, NETWORK)], {NETWORK: 1, IDLE: 1}),
        ([(TASK, FUTEX), (HELPER, SLEEP), (TASK, ON_CORE)], {ON_CORE: 1, LOCK: 1}),
        ([(TASK, FUTEX), (HELPER, NETWORK), (TASK, DISK)], {LOCK: 1, DISK: 1}),
        ([(TASK, NETWORK), (HELPER, SLEEP)], {NETWORK: 1, IDLE: 1}),
        ([(TASK, CHILD), (HELPER, FUTEX, True), (HELPER, DISK)], {DISK: 1, IDLE: 1}),
        ([(TASK, NAP), (HELPER, ON_CORE)], {ON_CORE: 1, IDLE: 1}),
        ([(TASK, NAP), (HELPER, DISK, True)], {DISK: 1, IDLE: 1}),
        ([(TASK, NAP), (HELPER, GIL), (HELPER, ON_CORE)], {ON_CORE: 1, GIL: 1}),
        ([(TASK, NAP), (HELPER, SLEEP)], {SLEEP: 1, IDLE: 1}),
        ([(TASK, NAP)] * 2, {SLEEP: 2}),
        ([(TASK, NETWORK), (HELPER, MEMORY)], {MEMORY: 1, IDLE: 1}),
        ([(TASK, REMOTE), (HELPER, DISK)], {NETWORK: 1, IDLE: 1}),
        ([(TASK, REMOTE), (HELPER, SLEEP, True)], {NETWORK: 1, IDLE: 1}),
        ([(TASK, WAKING), (HELPER, DISK)], {DISK: 1, IDLE: 1}),
        ([(TASK, WAKING), (HELPER, ON_CORE)], {ON_CORE: 1, IDLE: 1}),
        ([(TASK, WAKING)] * 2, {SLEEP: 2}),
        ([(TASK, FUTEX), (HELPER, GIL), (HELPER, ON_CORE)], {ON_CORE: 1, GIL: 1}),
    ],
)
def test_a_task_that_waits_for_helpers_waits_for_what_they_do(seen, expected):
    assert share(seen) == expected


def test_a_thread_at_a_socket_that_has_not_run_since_a_task_waits_is_idle():
    assert share([(TASK, FUTEX, False, 9.0), (HELPER, NETWORK, False, 1.0)]) == {LOCK: 1, IDLE: 1}
    assert share([(TASK, FUTEX, False, 9.0), (HELPER, NETWORK, False, 9.2)]) == {NETWORK: 1, IDLE: 1}


@pytest.mark.parametrize("state", [FUTEX, NETWORK, WAKING])
def test_a_child_that_has_not_run_since_a_task_waits_is_not_what_it_waits_for(state):
    own = {FUTEX: LOCK, NETWORK: NETWORK, WAKING: SLEEP}[state]
    child = (HELPER, DISK, True)
    assert share([(TASK, state, False, 9.0), (*child, 1.0)]) == {own: 1, IDLE: 1}
    assert share([(TASK, state, False, 9.0), (*child, 8.97)]) == {DISK: 1, IDLE: 1}
    assert share([(TASK, state, False, 9.0), (*child, 10.0)]) == {DISK: 1, IDLE: 1}
    assert share([(TASK, CHILD, False, 9.0), (*child, 1.0)]) == {DISK: 1, IDLE: 1}


def test_what_an_event_loop_watches():
    own = b"pos:\t0\nflags:\t02000002\ntfd:        6 events:       19 data: 6  pos:0 ino:1 sdev:9\n"
    assert read_watched(own) == WAKING
    assert read_watched(own + b"tfd:        7 events:       19 data: 7  pos:0 ino:2 sdev:9\n") == NETWORK
    assert read_watched(b"") == NETWORK  # it is gone


def test_the_gil_is_scheduling_if_only_who_hands_out_tasks_has_it():
    assert share([(TASK, GIL), (TASK, GIL), (DISPATCH, ON_CORE)]) == {SCHEDULING: 2}
    assert share([(TASK, GIL), (TASK, ON_CORE), (DISPATCH, GIL)]) == {ON_CORE: 1, GIL: 1}


def test_empty_slots():
    one = [(TASK, ON_CORE)]
    assert share([(DISPATCH, ON_CORE)]) == {ON_CORE: 1, SCHEDULING: 1}
    assert share([(DISPATCH, FUTEX)]) == {SCHEDULING: 2}
    busy = {1: Home(threads=2, runnable=5)}
    assert share_slots([Seen(1, *one[0])], busy, slots=2)[SCHEDULING] == 1
    starved = [Seen(1, *one[0]), Seen(1, DISPATCH, GIL)]
    assert share_slots(starved, busy, slots=2)[GIL] == 1


def test_who_hands_out_tasks_takes_a_slot_only_if_somebody_waits_for_it():
    seen = [Seen(1, TASK, ON_CORE), Seen(1, DISPATCH, ON_CORE)]
    assert share_slots(seen, {1: Home(threads=2, runnable=1)}, slots=2)[IDLE] == 1
    assert share_slots(seen, {1: Home(threads=2, runnable=3)}, slots=2) == {ON_CORE: 2}


def test_workers():
    worker = Home(threads=1, moves_data=True)
    homes = {1: Home(runnable=1), 2: worker, 3: worker._replace(fetching=1)}
    seen = [Seen(1, DISPATCH, FUTEX), Seen(2, TASK, ON_CORE), Seen(3, DISPATCH, NETWORK)]
    assert share_slots(seen, homes, slots=2)[NETWORK] == 1
    seen[2] = Seen(3, DISPATCH, ON_CORE)
    assert share_slots(seen, homes, slots=2) == {ON_CORE: 2}
    assert share_slots([seen[0], Seen(2, TASK, SLEEP), seen[2]], homes, slots=3)[MOVING] == 1
    spilling = [seen[1], Seen(3, DISPATCH, DISK)]
    assert share_slots(spilling, {2: worker, 3: worker}, slots=2)[DISK] == 1
    # A task that lies at the busy worker is lack of balance, not of a scheduler.
    assert share_slots([seen[1]], {1: Home(runnable=2), 2: worker, 3: worker}, slots=2)[IDLE] == 1
    # The client's own thread waits for the workers' tasks, in one way or the other.
    for state in (FUTEX, NAP, SLEEP):
        assert share_slots([Seen(1, TASK, state), seen[1]], homes | {3: worker}, slots=2)[IDLE] == 1
        # None of them has begun: every slot waits for who hands out the next one.
        assert share_slots([Seen(1, TASK, state)], homes | {3: worker}, slots=2)[SCHEDULING] == 2
    nothing = {1: Home(), 2: worker, 3: worker}
    assert share_slots([Seen(1, TASK, SLEEP)], nothing, slots=2)[SLEEP] == 1
    # Between two tasks it waits for its loop; or for helpers of its own.
    assert share_slots([Seen(1, TASK, FUTEX)], nothing, slots=2)[SCHEDULING] == 2
    assert share_slots([Seen(1, TASK, FUTEX), Seen(1, HELPER, ON_CORE)], nothing, slots=2)[IDLE] == 1


seen_threads = st.builds(
    Seen,
    st.sampled_from([1, 2]),
    st.sampled_from([TASK, DISPATCH, HELPER]),
    st.sampled_from([*SAMPLED[:8], UNATTRIBUTED, FUTEX, CHILD, REMOTE, WAKING, NAP]),
    st.booleans(),
    st.floats(0, 1),
)
some_homes = st.builds(Home, st.integers(0, 4), st.integers(0, 9), st.integers(0, 9), st.booleans())


@settings(max_examples=300, deadline=None)
@given(st.lists(seen_threads, max_size=12), some_homes, some_homes, st.integers(0, 5))
def test_slots_always_add_up(seen, first, second, slots):
    found = share_slots(seen, {1: first, 2: second}, slots=slots)
    assert sum(found.values()) == pytest.approx(slots, abs=1e-12)
    assert set(found) <= set(SAMPLED)
    assert all(amount >= 0 for amount in found.values())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("folio_wait_bit_common", DISK),
        ("jbd2_log_wait_commit", DISK),
        ("submit_bio_wait", DISK),
        ("balance_dirty_pages", DISK),
        ("shrink_lruvec", MEMORY),
        ("unix_stream_read_generic", NETWORK),
        ("wait_woken", NETWORK),
        ("anon_pipe_read", NETWORK),
        ("do_epoll_wait", NETWORK),
        ("hrtimer_nanosleep", SLEEP),
        ("futex_do_wait", FUTEX),
        ("do_wait", CHILD),
        ("locks_lock_inode_wait", LOCK),
        ("rwsem_down_write_slowpath", LOCK),
        ("something_new", UNATTRIBUTED),
    ],
)
def test_kernel_functions(name, reason):
    assert read_kernel_function(name, state="") == reason


def test_state_letters_where_the_kernel_names_no_function():
    assert [read_kernel_function("", state=letter) for letter in "DRS"] == [DISK, ON_CORE, UNATTRIBUTED]


def test_calls():
    assert read_call(b"running\n") == (ON_CORE, 0)
    assert read_call(b"-1 0x7ffd 0x7f00\n") == (None, 0)
    assert read_call(b"") == (None, 0)
    assert read_call(b"9999 0x1 0x2\n") == (None, 1)


def test_calls_of_x86(monkeypatch):
    import cdpipe.probe.system.wait_reasons as room

    if room._CALLS.get(202) != FUTEX:
        pytest.skip("another processor's numbers")
    assert read_call(b"202 0x7fa566f4e5f0 0x189 0x0\n") == (FUTEX, 0x7FA566F4E5F0)
    assert read_call(b"230 0x1 0x1\n") == (SLEEP, 1)
    assert read_call(b"74 0x3\n") == (DISK, 3)
    assert read_call(b"23 0x0 0x0\n") == (SLEEP, 0)
    assert read_call(b"23 0x4 0x7f\n") == (NETWORK, 4)
    assert read_call(b"45 0x4 0x7f\n") == (REMOTE, 4)
    assert read_call(b"232 0x9 0x7f\n") == (EPOLL, 9)
    assert read_call(b"0 0x3 0x7f\n") == (None, 3)  # a read: of a file, a pipe or a socket
