"""Quotas of control groups as the kernel writes them, of both versions, in folders made for it."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path

import pytest

from triptych import resources

MEMINFO = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\n"
CORES = len(os.sched_getaffinity(0))
GIB = 1 << 30


def machine(root: Path, groups: str, mounts: str, files: Mapping[str, object]) -> Path:
    """Write a machine of 16 GB below `root`: the group of this process, where groups are mounted, their files."""
    written = {"proc/meminfo": MEMINFO, "proc/self/cgroup": groups, "proc/self/mounts": mounts, **files}
    for name, content in written.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n")
    return root


def version_2(root: Path, path: str = "/", **files: object) -> Path:
    named = {f"sys/fs/cgroup/{name.replace('__', '/').replace('_dot_', '.')}": text for name, text in files.items()}
    return machine(root, f"0::{path}", "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0", named)


def version_1(root: Path, path: str, files: Mapping[str, object]) -> Path:
    groups = f"5:pids:{path}\n4:memory:{path}\n2:cpu,cpuacct:{path}\n1:name=systemd:/\n0::/"
    mounts = "\n".join(
        f"cgroup /sys/fs/cgroup/{name} cgroup rw,{name} 0 0" for name in ("cpu,cpuacct", "memory", "pids", "freezer")
    )
    return machine(root, groups, mounts, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})


def test_without_groups_it_is_the_machine(tmp_path: Path):
    machine(tmp_path, "", "", {})
    assert resources.cores(tmp_path) == CORES
    assert resources.memory_bytes(tmp_path) == 16_000_000 * 1024
    assert resources.free_memory_bytes(tmp_path) == 8_000_000 * 1024
    assert resources.free_processes(tmp_path) == resources.UNLIMITED


@pytest.mark.parametrize(("quota", "cores"), [("max 100000", CORES), ("150000 100000", 1), ("20000 100000", 1)])
def test_the_cores_of_version_2(quota: str, cores: int, tmp_path: Path):
    assert resources.cores(version_2(tmp_path, cpu_dot_max=quota)) == cores


@pytest.mark.parametrize(("quota", "cores"), [(-1, CORES), (100_000, 1), (30_000, 1)])
def test_the_cores_of_version_1(quota: int, cores: int, tmp_path: Path):
    files = {"cpu,cpuacct/cpu.cfs_quota_us": quota, "cpu,cpuacct/cpu.cfs_period_us": 100_000}
    assert resources.cores(version_1(tmp_path, "/", files)) == cores


def test_the_affinity_counts(tmp_path: Path):
    version_2(tmp_path, cpu_dot_max="6400000 100000")
    assert resources.cores(tmp_path) == CORES


def test_a_group_above_bounds_those_below(tmp_path: Path):
    version_2(tmp_path, "/jobs/mine", memory_dot_max=3 * GIB, jobs__memory_dot_max=2 * GIB, jobs__mine__x="")
    assert resources.memory_bytes(tmp_path) == 2 * GIB


def test_memory_that_is_left_counts_cached_files_as_free(tmp_path: Path):
    version_2(
        tmp_path, memory_dot_max=2 * GIB, memory_dot_current=GIB, memory_dot_stat=f"anon 5\ninactive_file {GIB // 2}"
    )
    assert resources.free_memory_bytes(tmp_path) == 2 * GIB - GIB // 2


def test_the_memory_of_version_1_in_a_container_that_sees_its_own_group_only(tmp_path: Path):
    files = {
        "memory/memory.limit_in_bytes": GIB,
        "memory/memory.usage_in_bytes": GIB // 2,
        "memory/memory.stat": f"inactive_file 0\ntotal_inactive_file {GIB // 4}",
    }
    version_1(tmp_path, "/docker/0123", files)
    assert resources.memory_bytes(tmp_path) == GIB
    assert resources.free_memory_bytes(tmp_path) == GIB // 2 + GIB // 4


def test_no_limit_of_version_1_is_none(tmp_path: Path):
    version_1(tmp_path, "/", {"memory/memory.limit_in_bytes": 9223372036854771712})
    assert resources.memory_bytes(tmp_path) == 16_000_000 * 1024


def test_the_processes_that_are_left(tmp_path: Path):
    version_2(tmp_path, pids_dot_max=100, pids_dot_current=30)
    assert resources.free_processes(tmp_path) == 70


@pytest.mark.parametrize(("wanted", "cores", "threads"), [(2, 1, 1), (2, 8, 2), (0, 3, 3), (4, 4, 4)])
def test_no_more_threads_than_cores(wanted: int, cores: int, threads: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "cores", lambda: cores)
    assert resources.threads(wanted) == threads


def test_limits_of_the_shell(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (64, 128))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert (resources.most_files(), resources.most_processes()) == (128, 128)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert resources.most_processes() == resources.UNLIMITED
    monkeypatch.setattr(resource, "getrlimit", lambda which: (64, resource.RLIM_INFINITY))
    assert resources.most_files() == resources.UNLIMITED
