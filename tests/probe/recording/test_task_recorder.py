import gc
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

import pytest
from clusters import environment

from cdpipe.probe.probe import probe
from cdpipe.probe.recording import task_recorder as tasks
from cdpipe.probe.recording.task_recorder import BOOKS, TaskBook, run_recorded
from cdpipe.probe.recording.thread_table import HEADER_CELLS, ROWS, ROWS_USED, SCHEDULING, TASK
from cdpipe.probe.sampling.process import NAME

pytestmark = pytest.mark.measuring


@contextmanager
def kept_book():
    """Keep a book; no fixture, since what measures again needs a new one, and what comes before a test costs too."""
    book = TaskBook(threads=2, serial=True)
    book.open()
    try:
        yield book
    finally:
        book.discard()


def recording(test):
    """Give a test a book that is kept while it runs, and no longer."""

    @wraps(test)
    def recorded():
        with kept_book() as book:
            test(book)

    del recorded.__wrapped__  # pytest would look for a fixture
    return recorded


def rows(book):
    cells = book.cells[HEADER_CELLS : HEADER_CELLS + 2 * book.cells[ROWS_USED]].tolist()
    return dict(zip(cells[::2], cells[1::2], strict=True))


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(100))


def in_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()


@recording
def test_the_table_says_who_is_in_a_task(book):
    here = threading.get_native_id()
    assert rows(book)[here] == TASK
    with tasks.scheduling():
        assert rows(book)[here] == SCHEDULING
        assert run_recorded(lambda: rows(book)[here]) == TASK
        assert rows(book)[here] == SCHEDULING
    assert rows(book)[here] == TASK


@recording
def test_processor_time_is_that_of_tasks_alone(book):
    with tasks.scheduling():
        burn(0.05)
        run_recorded(burn, 0.1)
        in_thread(run_recorded, burn, 0.1)
    figures = book.close()
    assert figures.pool_cpu_seconds == pytest.approx(0.2, rel=0.05)
    assert figures.task_cpu_seconds == pytest.approx(0.2, rel=0.1)
    assert figures.durations.count == 2


@recording
def test_processor_time_between_tasks_is_neither_theirs_nor_a_helper_s(book):
    def between():
        run_recorded(int)
        burn(0.1)
        run_recorded(int)

    with tasks.scheduling():
        burn(0.1)
        in_thread(between)
        in_thread(burn, 0.3)  # says nothing to the book: it helps some task
    figures = book.close()
    assert figures.other_cpu_seconds == pytest.approx(0.2, rel=0.1)
    assert figures.task_cpu_seconds < 0.05


@recording
def test_processor_time_of_dask_s_own_threads_is_for_no_task(book):
    ended = threading.Event()

    def loop():
        burn(0.1)
        ended.wait()

    thread = threading.Thread(target=loop, name="IO loop")
    thread.start()
    time.sleep(0.3)
    figures = book.close()
    ended.set()
    thread.join()
    assert figures.other_cpu_seconds == pytest.approx(0.1, rel=0.2)


def test_all_processor_time_of_a_scheduler_is_for_no_task():
    book = TaskBook(threads=0, only_schedules=True)
    book.open()
    in_thread(burn, 0.1)
    assert book.close().other_cpu_seconds == pytest.approx(0.1, rel=0.2)
    book.discard()


@recording
def test_a_task_that_fails_is_a_task_and_raises(book):
    with pytest.raises(KeyError):
        run_recorded({}.__getitem__, "key")
    assert book.close().durations.count == 1


@recording
def test_several_books_each_note_a_task_once(book):
    other = TaskBook(threads=2)
    other.open()
    assert run_recorded(str, 5) == "5"
    assert [each.close().durations.count for each in (other, book)] == [1, 1]
    other.discard()


def test_without_a_book_a_task_is_just_called():
    assert not BOOKS
    assert run_recorded(divmod, 7, 2) == (3, 1)
    with tasks.scheduling(), tasks.building_graph():
        pass


@recording
def test_collections_within_and_outside_tasks(book):
    ballast = [[] for _ in range(100_000)]
    run_recorded(gc.collect)
    with tasks.scheduling():
        gc.collect()
    figures = book.close()
    assert figures.gc_task_seconds > 0
    assert figures.gc_other_seconds > 0
    assert len(ballast) == 100_000


@recording
def test_graphs(book):
    with tasks.building_graph():
        time.sleep(0.05)
    assert 0.05 <= book.close().graph_seconds < 0.5


@recording
def test_rows_of_threads_that_ended_are_used_again(book):
    for _ in range(50):
        in_thread(run_recorded, int)
    assert book.cells[ROWS_USED] < 10


def test_more_threads_than_rows_do_no_harm(monkeypatch):
    monkeypatch.setattr(tasks, "ROWS", 8)
    barrier = threading.Barrier(20)
    threads = [threading.Thread(target=run_recorded, args=(barrier.wait, 120)) for _ in range(20)]
    with kept_book() as book:
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert book.close().durations.count == 20
    assert ROWS > 1000


def test_closing_leaves_nothing():
    gc.collect()
    callbacks, opened = len(gc.callbacks), descriptors()
    book = TaskBook(threads=1)
    book.open()
    book.discard()
    del book
    gc.collect()
    assert (len(gc.callbacks), descriptors(), BOOKS) == (callbacks, opened, [])


def test_a_task_that_outlives_the_book_is_not_disturbed():
    book = TaskBook(threads=1)
    book.open()
    started, end, ended = threading.Event(), threading.Event(), []

    def work():
        started.set()
        end.wait(120)

    def call():
        run_recorded(work)
        ended.append(True)

    thread = threading.Thread(target=call)
    thread.start()
    started.wait(120)
    assert book.close().durations.count == 0
    book.discard()
    end.set()
    thread.join()
    assert ended == [True]


@recording
def test_a_helper_that_collects_garbage_stays_a_helper(book):
    before = book.cells[ROWS_USED]
    in_thread(gc.collect)
    assert book.cells[ROWS_USED] == before
    assert book.close().gc_task_seconds > 0


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def children(pid):
    folder = Path(f"/proc/{pid}/task")
    return {int(each) for thread in folder.iterdir() for each in (thread / "children").read_text().split()}


def samplers(pid):
    return {each for each in children(pid) if Path(f"/proc/{each}/comm").read_bytes().strip() == NAME}


def test_the_sampling_process_lives_as_long_as_the_block(threads):
    assert not samplers(os.getpid())
    seen = {}
    with pytest.raises(KeyError), probe(threads):
        seen["within"]  # the first look fails, as a block may
    assert not samplers(os.getpid())
    with probe(threads):
        seen["within"] = samplers(os.getpid())
    assert len(seen["within"]) == 1
    assert not samplers(os.getpid())


def test_the_sampling_process_ends_with_its_parent():
    script = (
        "import time\nfrom cdpipe.probe.probe import probe\nfrom cdpipe.engine.sessions.open import open_session\n"
        "with open_session() as session, probe(session):\n    print(1, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=-1, env=environment()) as parent:
        assert parent.stdout.readline() == b"1\n"
        (sampler,) = samplers(parent.pid)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 120
    while Path(f"/proc/{sampler}/comm").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
