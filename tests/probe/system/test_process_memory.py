import multiprocessing
import os
import subprocess
import sys
import textwrap
import time

import psutil

from cdpipe.probe.system.process_memory import list_tree, read_small, tree_pss_bytes, tree_rss_bytes


def test_tree_holds_children_and_theirs():
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1) as child:
        assert child.stdout.readline() == b"1\n"
        grandchild = psutil.Process(child.pid).children()[0].pid
        assert {os.getpid(), child.pid, grandchild} <= list_tree(os.getpid())
        assert list_tree(child.pid) == {child.pid, grandchild}
        assert list_tree(child.pid, grandchild) == {child.pid, grandchild}
        child.communicate(b"\n")
    assert child.pid not in list_tree(os.getpid())


def test_tree_without_the_kernels_help(monkeypatch):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as child:
        quick = list_tree(os.getpid())
        monkeypatch.setattr("cdpipe.probe.system.process_memory._KERNEL_LISTS_CHILDREN", False)
        assert list_tree(os.getpid()) == quick >= {child.pid}
        child.communicate(b"\n")
        assert list_tree(child.pid) == set()


def test_processes_that_are_gone_count_nothing():
    gone = subprocess.run(["/bin/sh", "-c", "echo $$"], capture_output=True, check=True)
    pid = int(gone.stdout)
    assert (list_tree(pid), tree_rss_bytes(pid), tree_pss_bytes(pid)) == (set(), 0, 0)
    assert read_small(f"/proc/{pid}/stat") == b""


def test_known_allocation_in_a_child_is_seen():
    script = "a = bytearray(b'1') * 150_000_000; print(1, flush=True); input()"
    before, before_true = tree_rss_bytes(os.getpid()), tree_pss_bytes(os.getpid())
    with subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1) as child:
        child.stdout.readline()
        grown, grown_true = tree_rss_bytes(os.getpid()) - before, tree_pss_bytes(os.getpid()) - before_true
        child.communicate(b"\n")
    assert 150e6 <= grown < 180e6
    assert 150e6 <= grown_true < 170e6


def test_shared_pages_count_once_and_in_resident_set_sizes_twice():
    ballast = bytearray(b"1") * 150_000_000
    context = multiprocessing.get_context("fork")
    ready, end = context.Event(), context.Event()

    def idle():
        ready.set()
        end.wait(120)

    before, before_true = tree_rss_bytes(os.getpid()), tree_pss_bytes(os.getpid())
    child = context.Process(target=idle)
    child.start()
    assert ready.wait(120)
    time.sleep(0.05)
    grown, grown_true = tree_rss_bytes(os.getpid()) - before, tree_pss_bytes(os.getpid()) - before_true
    end.set()
    child.join()
    child.close()
    assert len(ballast) == 150_000_000
    assert grown > 140e6
    assert grown_true < 30e6


def test_a_child_about_to_start_its_program_does_not_double_its_parent():
    """Between vfork and exec a child runs in its parent's own memory, and /proc shows that memory for both."""
    script = """
        import subprocess
        ballast = bytearray(b"1") * 200_000_000
        print(1, flush=True)
        while True:
            subprocess.run(["/bin/true"])
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=-1) as child:
        child.stdout.readline()
        try:
            seen = [(tree_rss_bytes(child.pid), tree_pss_bytes(child.pid)) for _ in range(300)]
        finally:
            child.kill()
    assert max(rss for rss, _ in seen) < 280e6
    assert max(true for _, true in seen) < 280e6
