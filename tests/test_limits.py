"""What a process may use: laid out as the kernel does in a folder of ours, or really set in a process of its own."""

import os
import resource
import subprocess
import sys

import psutil
import pytest

from cdpipe import limits
from cdpipe.limits import (
    AddressSpace,
    MemoryLimitError,
    count_processors,
    find_address_space,
    idle_address_bytes,
    machine_memory_bytes,
    require_base,
)

MACHINE = psutil.virtual_memory().total
CORES = len(os.sched_getaffinity(0))


def lay_out(root, groups, files):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for path, text in files.items():
        file = root / "sys/fs/cgroup" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_limits_of_this_machine():
    assert 0 < machine_memory_bytes() <= MACHINE
    assert 1 <= count_processors() <= CORES


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/memory.max": "3000000\n"}, 3_000_000),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "2000000\n"}, 2_000_000),
        ("0::/a/b\n", {"a/b/memory.max": "5000000\n", "a/memory.max": "9000000\n"}, 5_000_000),
        ("0::/a/b\n", {"a/b/memory.max": "5000000\n", "a/memory.high": "4500000\n"}, 4_500_000),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/b/memory.high": "max\n"}, MACHINE),
        ("0::/not/seen/from/here\n", {"memory.max": "4000000\n"}, 4_000_000),
        ("0::/\n", {"unified/memory.max": "4000000\n"}, 4_000_000),
        ("4:memory:/job\n0::/\n", {"memory/job/memory.limit_in_bytes": "6000000\n"}, 6_000_000),
        ("4:cpu,memory:/job\n", {"memory/memory.limit_in_bytes": "7000000\n"}, 7_000_000),
        ("4:cpu,memory:/job\n", {"cpu,memory/job/memory.limit_in_bytes": "7500000\n"}, 7_500_000),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, MACHINE),
        ("3:cpu:/job\n", {"memory/job/memory.limit_in_bytes": "6000000\n"}, MACHINE),
        ("", {}, MACHINE),
    ],
)
def test_memory_is_the_lowest_limit_of_the_groups_above(tmp_path, groups, files, expected):
    assert machine_memory_bytes(root=lay_out(tmp_path, groups, files)) == expected


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "300000 100000\n"}, 3),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "250000 100000\n"}, 3),
        ("0::/a\n", {"a/cpu.max": "10000 100000\n"}, 1),
        ("0::/a\n", {"a/cpu.max": "max 100000\n"}, 64),
        ("0::/a\n", {"a/cpu.max": "9900000 100000\n"}, 64),
        ("0::/\n", {"unified/cpu.max": "200000 100000\n"}, 2),
        ("4:cpu,cpuacct:/job\n", {f"cpu/job/cpu.cfs_{each}_us": text for each, text in
                                  (("quota", "500000\n"), ("period", "100000\n"))}, 5),
        ("4:cpu,cpuacct:/job\n", {f"cpu,cpuacct/cpu.cfs_{each}_us": text for each, text in
                                  (("quota", "400000\n"), ("period", "100000\n"))}, 4),
        ("4:cpu:/job\n", {"cpu/job/cpu.cfs_quota_us": "-1\n", "cpu/job/cpu.cfs_period_us": "100000\n"}, 64),
        ("4:cpuset:/job\n", {"cpu/job/cpu.cfs_quota_us": "100000\n", "cpu/job/cpu.cfs_period_us": "100000\n"}, 64),
        ("4:cpu:/job\n", {"cpu/job/cpu.cfs_quota_us": "100000\n"}, 64),
        ("", {}, 64),
    ],
)  # fmt: skip
def test_processors_are_the_lowest_quota_of_the_groups_above(tmp_path, monkeypatch, groups, files, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)))
    assert count_processors(root=lay_out(tmp_path, groups, files)) == expected


def test_the_affinity_mask_counts_where_no_quota_is_lower(tmp_path, monkeypatch):
    root = lay_out(tmp_path, "0::/a\n", {"a/cpu.max": "800000 100000\n"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {1, 5, 7})
    assert count_processors(root=root) == 3
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert count_processors(root=root) == 6


@pytest.mark.parametrize(
    ("space", "idle"),
    [
        (AddressSpace(None, None), 0),
        (AddressSpace(600_000_000, None), 2 << 23),
        (AddressSpace(None, 600_000_000), 450_000_000 + (2 << 23)),
        # The other limit is 100 MB lower, which leaves that much for what it does not count.
        (AddressSpace(600_000_000, 700_000_000), 350_000_000 + (2 << 23)),
        (AddressSpace(600_000_000, 2_000_000_000), 2 << 23),
        (AddressSpace(None, 10**18), 0),
    ],
)
def test_what_an_address_space_counts_and_memory_does_not(monkeypatch, space, idle):
    monkeypatch.setattr(limits, "find_address_space", lambda: space)
    assert idle_address_bytes(2) == idle


def test_too_little_for_the_program_is_said_before_it_is_loaded():
    require_base(10**9)
    with pytest.raises(MemoryLimitError, match=r"needs 0\.45 GB .* may use 0\.30 GB; raise that limit .*ulimit -d"):
        require_base(300_000_000)


@pytest.mark.parametrize("kind", ["DATA", "AS"])
@pytest.mark.parametrize("megabytes", [100, 200, 300, 400])
def test_a_command_under_too_low_a_limit_ends_in_one_sentence(tmp_path, kind, megabytes):
    limit = megabytes * 1_000_000

    def restrict():
        resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (limit, limit))

    (tmp_path / "c.toml").write_text("[input]\npaths = ['m.csv']\n")
    script = "from cdpipe.cli import main; main()"
    command = [sys.executable, "-c", script, "run", str(tmp_path / "c.toml")]
    done = subprocess.run(command, preexec_fn=restrict, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("cdpipe: a run needs 0.")
    assert f"may use {megabytes / 1000:.2f} GB" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["DATA", "AS"])
def test_a_resource_limit_of_this_process_counts(name):
    script = "from cdpipe.limits import *; print(machine_memory_bytes(), *find_address_space())"
    limit = 1 << 30

    def restrict():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))

    done = subprocess.run([sys.executable, "-c", script], preexec_fn=restrict, capture_output=True, check=True)
    found, *space = done.stdout.decode().split()
    assert int(found) == min(limit, machine_memory_bytes())
    assert space == ([str(limit), "None"] if name == "DATA" else ["None", str(limit)])
    assert find_address_space()  # of this one, whatever it is
