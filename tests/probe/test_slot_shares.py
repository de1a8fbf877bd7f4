from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdpipe.figures import SHARES
from cdpipe.probe.recording.task_figures import Account, TaskFigures
from cdpipe.probe.slot_shares import Exact, Seen, attribute, count_looks, find_fullest
from cdpipe.probe.system.wait_reasons import FOLLOWING, SAMPLED


def seen(following=(), *, run_queue=0.0, crowded=False, **parts):
    return Seen(parts, dict(following), run_queue, 10, crowded, 0, 0, 0.0)


def exact(cpu, work=None, *, pickled=0.0, moved=0.0, gc=0.0):
    return Exact(cpu, cpu if work is None else work, pickled, moved, gc, 0.0)


def some(shares):
    return {name: pytest.approx(share, abs=1e-12) for name, share in shares.items() if share > 1e-12}


def test_only_waits_rest_on_looks():
    assert count_looks(seen(on_core=1.0, disk=1.0), exact(1.0)) == 20
    assert count_looks(seen(on_core=1.2, disk=0.8, run_queue=0.2), exact(1.0)) == 25  # a tenth waited for a core
    assert count_looks(seen(disk=2.0), exact(0.0)) == 10
    assert count_looks(seen(on_core=2.0), exact(2.0)) == 100


def test_use_is_what_was_counted_and_waits_are_as_the_samples_were():
    shares = attribute(seen(on_core=1.1, disk=0.6, idle=0.3), exact(1.0, 0.9))
    assert some(shares) == {"compute": 0.45, "scheduling": 0.05, "disk": 1 / 3, "idle": 1 / 6}


def test_what_was_runnable_but_not_running_is_contention_as_far_as_the_kernel_says():
    shares = attribute(seen(on_core=2.0, run_queue=0.5), exact(1.0))
    assert some(shares) == {"compute": 0.5, "contention": 0.25, "unattributed": 0.25}


def test_who_waits_for_a_thread_without_a_core_waits_for_the_core():
    shares = attribute(seen({"idle": 1.0}, on_core=1.0, idle=1.0, run_queue=9.0), exact(0.25))
    assert some(shares) == {"compute": 0.125, "contention": 0.75, "idle": 0.125}
    alone = attribute(seen({"idle": 0.0}, on_core=1.0, idle=1.0, run_queue=9.0), exact(0.25))
    assert some(alone) == {"compute": 0.125, "contention": 0.375, "idle": 0.5}


def test_processor_time_outside_tasks_is_split_by_what_dask_counted():
    shares = attribute(seen(on_core=2.0), exact(2.0, 0.5, pickled=0.7, moved=0.3))
    assert some(shares) == {"compute": 0.25, "serialisation": 0.35, "network": 0.15, "scheduling": 0.25}


def test_waiting_for_data_is_split_as_the_loops_time_is():
    shares = attribute(seen(on_core=1.0, moving=1.0), exact(1.0, 0.0, pickled=0.6, moved=0.2))
    assert shares["serialisation"] == pytest.approx(0.3 + 0.5 * 0.75)
    assert shares["network"] == pytest.approx(0.1 + 0.5 * 0.25)
    unknown = attribute(seen(on_core=1.0, moving=1.0), exact(1.0, 1.0))
    assert unknown["network"] == pytest.approx(0.5)


def test_waiting_for_the_loops_is_split_as_their_time_is():
    shares = attribute(seen(on_core=1.0, scheduling=1.0), exact(1.0, 0.0, pickled=0.6, moved=0.1))
    assert some(shares) == {"serialisation": 0.6, "network": 0.1, "scheduling": 0.3}
    nobody = attribute(seen(on_core=1.0, scheduling=1.0), exact(1.0, 1.0))
    assert some(nobody) == {"compute": 0.5, "scheduling": 0.5}


def test_garbage_collection_is_no_computing():
    assert some(attribute(seen(on_core=1.0), exact(1.0, gc=0.2))) == {"compute": 0.8, "gc": 0.2}


def test_cores_that_were_not_given_are_not_counted():
    assert some(attribute(seen(on_core=0.5, idle=0.5, crowded=True), exact(1.0))) == {"compute": 0.5, "idle": 0.5}


seconds = st.floats(0, 10)
part_seconds = st.fixed_dictionaries(dict.fromkeys(SAMPLED, seconds))


@settings(max_examples=300, deadline=None)
@given(part_seconds, st.floats(0, 1), seconds, seconds, seconds, seconds, seconds, st.booleans())
def test_shares_always_add_up(parts, late, queue, cpu, work, pickled, gc, crowded):
    parts["on_core"] += 0.01
    following = {name: late * parts[name] for name in FOLLOWING}
    shares = attribute(Seen(parts, following, queue, 5, crowded, 0, 0, 0.0), exact(cpu, work, pickled=pickled, gc=gc))
    assert tuple(shares) == SHARES
    assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
    assert all(share >= -1e-12 for share in shares.values())


def test_machines_are_added_up():
    one = Seen({"on_core": 1.0}, {"idle": 0.5}, 0.2, 10, False, 100, 50, 0.01)
    two = Seen({"idle": 2.0}, {"idle": 0.5}, 0.2, 7, True, 10, 5, 0.01)
    both = Seen.join([one, two])
    assert both.parts == {"on_core": 1.0, "idle": 2.0}
    assert both.following["idle"] == 1.0
    assert (both.samples, both.crowded, both.peak_bytes) == (7, True, 110)


def test_memory_is_judged_by_the_fullest_worker():
    limits = {"a": 100.0, "b": 100.0, "c": 0.0, "gone": 50.0}
    held = replace(seen(on_core=1.0), peaks={"a": 60, "b": 50, "c": 999, "elsewhere": 999})
    accounts = {"a": Account(TaskFigures()), "b": Account(TaskFigures(), spilled_bytes=40)}
    assert find_fullest(limits, held, accounts, tree=(None, 1.0)) == 0.9
    assert find_fullest(limits, held, accounts, tree=(190, 200)) == 0.95
    assert find_fullest(limits, replace(held, peaks={"gone": 49}), accounts, tree=(10, 200)) == 0.98
    assert find_fullest({}, held, accounts, tree=(None, 1.0)) is None
