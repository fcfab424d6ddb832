"""What this process may use of its machine: cores, memory, processes, files; not what the machine has.

A container, a service of systemd and a job of a cluster are control groups with quotas of their own, which
`os.cpu_count()` and /proc/meminfo do not tell. Both versions are read, up to the root, as each group bounds those
below it: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/. Built on the standard library alone.
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
UNLIMITED = 1 << 60
"""Version 1 writes "no limit" as the largest multiple of a page."""


def cores(root: Path = ROOT) -> int:
    """Return how many threads can compute at once here: whole cores of the affinity and of every quota, at least 1."""
    quotas = [quota for folder in _groups("cpu", root) if (quota := _cpu_quota(folder))]
    # `triptych doctor` runs on a Mac too, to say that it is none of Linux; affinity is Linux' own.
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([there, *(int(quota) for quota in quotas)]))


def threads(wanted: int) -> int:
    """Return how many threads to start for a computation: as many as wanted, at most one a core; 0 wants one a core."""
    return min(wanted or cores(), cores())


def memory_bytes(root: Path = ROOT) -> int:
    """Return how much memory this process and its group may take in all."""
    limits = (_memory_limit(folder) for folder in _groups("memory", root))
    return min([_memory_fact("MemTotal", root), *(limit for limit in limits if limit is not None)])


def free_memory_bytes(root: Path = ROOT) -> int:
    """Return how much memory is still to be had; cached files count as free, since they give way."""
    left = [
        limit - _memory_used(folder)
        for folder in _groups("memory", root)
        if (limit := _memory_limit(folder)) is not None
    ]
    return max(0, min([_memory_fact("MemAvailable", root), *left]))


def free_processes(root: Path = ROOT) -> int:
    """Return how many more processes and threads the groups allow; root is bound by these alone."""
    left = []
    for folder in _groups("pids", root):
        most, used = _number(folder / "pids.max"), _number(folder / "pids.current")
        if most is not None and used is not None:
            left.append(most - used)
    return max(0, min([UNLIMITED, *left]))


def most_files() -> int:
    """Return how many files a process may have open once it has raised its limit as far as it can."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return UNLIMITED if most == resource.RLIM_INFINITY else most


def most_processes() -> int:
    """Return how many processes and threads this user may have in all; the kernel does not bind root by it."""
    most = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    return UNLIMITED if most == resource.RLIM_INFINITY or os.geteuid() == 0 else most


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folder of this process's group and of each above it, in the hierarchy that has the controller."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") or not controllers:
            for mount in _mounts(controller if controllers else "", root):
                yield from _up(mount, path)


def _mounts(controller: str, root: Path) -> Iterator[Path]:
    """Yield where a hierarchy is mounted: that of version 2 for no controller."""
    for line in _lines(root / "proc/self/mounts"):
        _, mount, kind, options, *_ = line.split(" ")
        if kind == "cgroup2" if not controller else kind == "cgroup" and controller in options.split(","):
            yield root / mount.lstrip("/")


def _up(mount: Path, path: str) -> Iterator[Path]:
    """Yield those of the group's folder and its parents that are seen; in a container often only the mount is."""
    folder = mount / path.lstrip("/")
    while True:
        if folder.is_dir():
            yield folder
        if folder == mount or mount not in folder.parents:
            return
        folder = folder.parent


def _cpu_quota(folder: Path) -> float | None:
    words = _text(folder / "cpu.max").split()
    if not words:
        words = [_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    return int(words[0]) / int(words[1]) if len(words) == 2 and all(word.isdigit() for word in words) else None


def _memory_limit(folder: Path) -> int | None:
    limit = _number(folder / "memory.max")
    if limit is None:
        limit = _number(folder / "memory.limit_in_bytes")
    return limit if limit is not None and limit < UNLIMITED else None


def _memory_used(folder: Path) -> int:
    used = _number(folder / "memory.current")
    if used is None:
        used = _number(folder / "memory.usage_in_bytes")
    # In version 1 the figure with `total_` has the groups below in it.
    cached = re.findall(r"^(?:total_)?inactive_file (\d+)$", _text(folder / "memory.stat"), re.M)
    return (used or 0) - max(map(int, cached), default=0)


def _memory_fact(name: str, root: Path) -> int:
    told = re.search(rf"^{name}: +(\d+) kB$", _text(root / "proc/meminfo"), re.M)
    return int(told[1]) * 1024 if told else 0


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _lines(path: Path) -> list[str]:
    return _text(path).splitlines()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
