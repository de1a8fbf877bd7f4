import dataclasses
import gc
import mmap
import os
import subprocess
import sys
import threading
import time

import cloudpickle
import dask
import psutil
import pytest

from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.probe.probe import ProbeResult, probe
from cdpipe.probe.system import counters as room

pytestmark = pytest.mark.measuring

cloudpickle.register_pickle_by_value(sys.modules[__name__])

BURN = "import time\nwhile time.process_time() < {seconds}: pass"


def burn_thread(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))


@dask.delayed
def burn(index, seconds):
    burn_thread(seconds)
    return index


@dask.delayed
def hold(index, size):
    ballast = bytearray(b"1") * size
    time.sleep(0.3)
    return len(ballast)


def test_empty_until_the_block_ends(threads):
    with probe(threads) as used:
        assert used == ProbeResult()
        assert set(used.as_dict().values()) == {None}
        time.sleep(0.1)
    assert 0.1 <= used.wall_seconds < 0.5
    assert used.as_dict() | {"missing": None} == dataclasses.asdict(used)
    with pytest.raises(dataclasses.FrozenInstanceError):
        used.tasks = 1


def test_stays_empty_when_the_block_fails(threads):
    before = threading.active_count()
    with pytest.raises(KeyError), probe(threads) as used:
        raise KeyError(1)
    assert used == ProbeResult()
    assert threading.active_count() == before


def test_probing_costs_little(threads):
    """The sampling thread's own time over a second of nothing, also on a busy machine."""
    with probe(threads) as used:
        time.sleep(1)
    assert used.cpu_seconds < 0.3


def test_processor_time_of_two_threads(threads):
    with probe(threads) as used:
        burners = [threading.Thread(target=burn_thread, args=(0.5,)) for _ in range(2)]
        for each in burners:
            each.start()
        for each in burners:
            each.join()
    assert 1.0 <= used.cpu_seconds < 1.6
    assert used.cores == min(2, psutil.cpu_count())
    assert used.cpu_percent == pytest.approx(100 * used.cpu_seconds / used.wall_seconds / used.cores)
    assert used.cpu_percent <= 105


def test_sleep_uses_no_processor(threads):
    with probe(threads) as used:
        time.sleep(0.5)
    assert used.cpu_seconds < 0.3
    assert used.cpu_percent < 30


def test_processor_time_of_children_that_ended(threads):
    with probe(threads) as used:
        subprocess.run([sys.executable, "-c", BURN.format(seconds=0.6)], check=True)
    assert 0.58 <= used.cpu_seconds < 0.9


def test_processor_time_of_a_child_that_was_there_before_counts_from_now_on(threads):
    script = "input()\n" + BURN.format(seconds=0.3) + "\nprint(1, flush=True)\ninput()\n" + BURN.format(seconds=0.8)
    with subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1, text=True) as child:
        child.stdin.write("\n")
        child.stdin.flush()
        child.stdout.readline()
        with probe(threads) as used:
            child.communicate("\n")
    assert 0.45 <= used.cpu_seconds < 0.7


def test_peak_of_a_child_within_5_percent(threads):
    script = "import time; a = bytearray(b'1') * {size}; time.sleep(0.3)"

    def run(size):
        gc.collect()  # what earlier tests left must not go between the two measurements
        with probe(threads) as used:
            subprocess.run([sys.executable, "-c", script.format(size=size)], check=True)
        return used.tree_peak_bytes

    assert run(300_000_000) - run(1) == pytest.approx(300e6, rel=0.05)


def test_peak_is_of_the_tree_at_one_moment_not_a_sum_over_time(threads):
    script = "import time; a = bytearray(b'1') * 100_000_000; time.sleep(0.2)"
    gc.collect()
    with probe(threads) as idle:
        time.sleep(0.1)
    with probe(threads) as used:
        for _ in range(2):
            subprocess.run([sys.executable, "-c", script], check=True)
    assert 80e6 < used.tree_peak_bytes - idle.tree_peak_bytes < 140e6  # 200e6 would be the sum


def test_peak_that_was_before_does_not_count(threads):
    ballast = mmap.mmap(-1, 300_000_000)
    ballast.write(b"1" * 300_000_000)
    with probe(threads) as held:
        time.sleep(0.05)
    ballast.close()
    with probe(threads) as after:
        time.sleep(0.05)
    assert held.tree_peak_bytes - after.tree_peak_bytes > 250e6
    assert after.memory_percent == pytest.approx(100 * after.tree_peak_bytes / after.limit_bytes)


def test_peak_of_an_allocation_that_stays(threads):
    with probe(threads) as used:
        ballast = bytearray(b"1") * 50_000_000
    with probe(threads) as next_used:
        pass
    assert len(ballast) == 50_000_000
    assert used.tree_peak_bytes >= 50e6
    assert next_used.tree_peak_bytes >= 50e6


def test_limit_is_the_sessions():
    with open_session(SessionParams(memory_limit_gb=2)) as session, probe(session) as used:
        pass
    assert used.limit_bytes == 2_000_000_000


def on_a_disk(folder):
    kinds = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    mount = folder
    while str(mount) not in kinds:
        mount = mount.parent
    return kinds[str(mount)] not in {"tmpfs", "overlay", "nfs", "9p", "fuse"}


def test_bytes_written_reach_the_device(threads, tmp_path):
    block = os.urandom(1_000_000)
    with probe(threads) as used, (tmp_path / "file").open("wb") as stream:
        for _ in range(50):
            stream.write(block)
        stream.flush()
        os.fsync(stream.fileno())
    assert 50e6 <= used.syscall_write_bytes < 52e6
    assert 0 <= used.disk_busy <= 1
    assert used.disk_busy_source.startswith(("diskstats ", "pressure"))
    if on_a_disk(tmp_path):
        assert 50e6 <= used.write_bytes < 60e6
        assert used.disk_busy > 0


def test_bytes_read_from_the_page_cache_are_not_read_from_the_device(threads, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(os.urandom(30_000_000))
    with probe(threads) as used:
        assert len(file.read_bytes()) == 30_000_000
    assert 30e6 <= used.syscall_read_bytes < 33e6
    assert used.read_bytes < 3e6
    if on_a_disk(tmp_path):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with probe(threads) as cold:
            file.read_bytes()
        assert 30e6 <= cold.read_bytes < 36e6


def test_bytes_of_a_child_that_ended(threads, tmp_path):
    script = f"open({str(tmp_path / 'file')!r}, 'wb').write(bytes(20_000_000))"
    with probe(threads) as used:
        subprocess.run([sys.executable, "-c", script], check=True)
    assert 20e6 <= used.syscall_write_bytes < 22e6


def test_tasks_and_ready_queue_on_threads(threads):
    with probe(threads) as used:
        threads.run([burn(index, 0) for index in range(500)])
    assert used.tasks == 500
    assert 400 <= used.ready_queue_max <= 500


def test_a_chain_has_no_queue(threads):
    links = [burn(0, 0)]
    for _ in range(20):
        links.append(burn(links[-1], 0))
    with probe(threads) as used:
        threads.run(links)  # were only the last one wanted, all would be one task
    assert used.tasks == 21
    assert used.ready_queue_max <= 1


def test_what_cannot_be_read_is_none(threads, monkeypatch):
    true = room.read_small

    def read_small(path):
        return b"" if path.endswith(("/io", "diskstats")) else true(path)

    monkeypatch.setattr(room, "read_small", read_small)
    with probe(threads) as used:
        burn_thread(0.05)
    assert (used.read_bytes, used.write_bytes, used.syscall_read_bytes, used.syscall_write_bytes) == (None,) * 4
    assert used.cpu_seconds > 0
    assert used.disk_busy_source in {"pressure", None}
    assert (used.disk_busy is None) == (used.disk_busy_source is None)


def test_the_sampling_process_is_kept_to_no_core(threads):
    """It goes from core to core by itself, and is free to leave each for an idle one."""
    free = set()
    with probe(threads):
        for _ in range(20):
            time.sleep(0.02)
            free |= {tuple(each.cpu_affinity()) for each in psutil.Process().children() if "sampler" in each.name()}
    assert tuple(psutil.Process().cpu_affinity()) in free
