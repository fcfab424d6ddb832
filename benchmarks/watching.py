"""What a server costs while it is under load: memory, shared memory, open files and processes of its whole family.

`Watch` reads them once a second in a thread; `trend` says whether they grow. Linux only.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType

import numpy as np
import psutil
from scipy import stats

MIB = 1 << 20
SHARED = "/dev/shm/"
INTERVAL_S = 1.0
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Sample:
    """One reading: of all processes together, `at_s` seconds after the watch began."""

    at_s: float
    pss_mib: float
    """Memory, shared pages counted once."""
    shm_mib: float
    """Files in /dev/shm that one of the processes maps."""
    files: int
    processes: int


MEASURES = tuple(field.name for field in fields(Sample) if field.name != "at_s")


@dataclass(frozen=True)
class Trend:
    """A line through readings: what they are on average, and by how much they grow an hour, with its interval."""

    mean: float
    per_hour: float
    low: float
    high: float


def trend(samples: Sequence[Sample], measure: str) -> Trend:
    """Return the least-squares line through a measure of at least three readings, with the interval of CONFIDENCE."""
    hours = np.array([sample.at_s for sample in samples]) / 3600
    values = np.array([getattr(sample, measure) for sample in samples], dtype=np.float64)
    line = stats.linregress(hours, values)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 2) * line.stderr)
    return Trend(float(values.mean()), float(line.slope), float(line.slope) - half, float(line.slope) + half)


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all that descend from it; none when it has ended."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    """Return the processor time of processes, and of children of theirs that have ended."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has ended since it was listed: its parent has its time
        total += times.user + times.system + times.children_user + times.children_system
    return total


def shared_files(processes: Sequence[psutil.Process]) -> set[Path]:
    """Return the files in /dev/shm that some processes map."""
    return {Path(path) for process in processes for path in _mapped(process.pid) if path.startswith(SHARED)}


def _mapped(pid: int) -> Iterator[str]:
    """Yield the paths that a process maps; none when it has ended meanwhile."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return
    for line in lines:
        yield line.split(maxsplit=5)[-1]


class Watch:
    """Reads the family of a process until the end of the block. `pid` may be changed when it is started anew."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.samples: list[Sample] = []
        self.seen: set[Path] = set()
        """Every file in /dev/shm that was mapped at some time."""
        self.began = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def now_s(self) -> float:
        """Return the seconds since the watch began."""
        return time.monotonic() - self.began

    def between(self, start_s: float, end_s: float) -> list[Sample]:
        """Return the readings of a span of time."""
        return [sample for sample in self.samples if start_s <= sample.at_s <= end_s]

    def left_behind(self) -> list[str]:
        """Return the paths in /dev/shm of the files that were mapped and are still there."""
        return sorted(str(path.relative_to(SHARED)) for path in self.seen if path.exists())

    def read(self) -> Sample:
        """Take one reading."""
        processes = family(self.pid)
        shared = shared_files(processes)
        self.seen |= shared
        costs = [cost for process in processes if (cost := cost_of(process))]
        return Sample(
            self.now_s(),
            sum(pss for pss, _ in costs) / MIB,
            sum(map(_bytes_on_disk, shared)) / MIB,
            sum(files for _, files in costs),
            len(costs),
        )

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_S):
            self.samples.append(self.read())

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()


def cost_of(process: psutil.Process) -> tuple[int, int] | None:
    """Return the memory (PSS, bytes) and the open files of a process; None when it has ended meanwhile."""
    try:
        return process.memory_full_info().pss, process.num_fds()
    except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError, ProcessLookupError):
        return None


def _bytes_on_disk(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of the values does not exceed; NaN for none."""
    return float(np.quantile(values, share, method="higher")) if len(values) else math.nan
