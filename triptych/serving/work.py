"""Whether processes do anything: who is asked, does not answer and uses no CPU time will never answer."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

SAMPLE_S = 1.0
IDLE_SHARE = 0.05
"""Of one core: Triton with every step uses 0.004 at rest, so whoever uses less than this does nothing."""


class Work:
    """How long some processes, and those that they have started, have done nothing."""

    def __init__(self, processes: Iterable[psutil.Process]) -> None:
        self._processes = list(_with_children(processes))
        self._used_s = self._cpu_s()
        self._at = self._busy_at = time.monotonic()

    def idle_s(self) -> float:
        """Return for how many seconds they have used no CPU time worth mentioning."""
        now = time.monotonic()
        if now - self._at >= SAMPLE_S:
            used_s = self._cpu_s()
            if abs(used_s - self._used_s) > IDLE_SHARE * (now - self._at):
                self._busy_at = now
            self._used_s, self._at = used_s, now
        return now - self._busy_at

    def _cpu_s(self) -> float:
        return sum(map(_cpu_s, self._processes))


def _with_children(processes: Iterable[psutil.Process]) -> dict[psutil.Process, None]:
    found: dict[psutil.Process, None] = {}
    for process in processes:
        found[process] = None
        with suppress(psutil.Error):
            found.update(dict.fromkeys(process.children(recursive=True)))
    return found


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system
