"""What this process may use of its machine: processors and memory, by affinity and by the quotas of its control group.

`os.cpu_count()` and the machine's memory are the host's, whatever a container may use of them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
"""Lines `number:controllers:path`; number 0 is cgroup v2 (cgroups(7))."""


def cores() -> int:
    """Return how many processors this process may use: at least 1."""
    quotas = [_processors_v2(folder) for folder in _folders("")]
    quotas += [_processors_v1(folder) for folder in _folders("cpu")]
    allowed = [len(os.sched_getaffinity(0)), *(math.ceil(quota) for quota in quotas if quota)]
    return max(1, min(allowed))


def memory_bytes() -> int:
    """Return how much memory this process may use, in bytes."""
    limits = [_number(folder / "memory.max") for folder in _folders("")]
    limits += [_number(folder / "memory.limit_in_bytes") for folder in _folders("memory")]
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([installed, *(limit for limit in limits if limit)])


def _folders(controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control group and of those it is in; `controller` "" is cgroup v2."""
    try:
        lines = MEMBERSHIP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, names, path = line.split(":", 2)
        if (number == "0") != (controller == "") or (controller and controller not in names.split(",")):
            continue
        root = CGROUPS / names if controller else CGROUPS
        inside = root / path.lstrip("/")
        yield from (folder for folder in (inside, *inside.parents) if folder.is_relative_to(root))


def _processors_v2(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.strip().isdigit() else None


def _processors_v1(folder: Path) -> float | None:
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota / period if quota and period else None


def _number(file: Path) -> int | None:
    """Return the number in a file; None without one, as for "max" and -1."""
    text = _text(file).strip()
    return int(text) if text.isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""
