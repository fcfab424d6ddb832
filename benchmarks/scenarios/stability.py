"""When a load has settled: perf_analyzer's rule, by which three windows in a row are within 10 % of their mean.

Both the throughput and the mean latency have to be. Source: docs/measurements_metrics.md of perf_analyzer, options
`--measurement-mode=count_windows`, `--stability-percentage=10` and `--max-trials=10`, whose defaults these are.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WINDOWS = 3
TOLERANCE = 0.1
MOST_WINDOWS = 10


@dataclass(frozen=True)
class Window:
    """A part of a load: how long it was, and how long each caller waited who was answered in it."""

    seconds: float
    waits_s: tuple[float, ...]

    @property
    def a_second(self) -> float:
        """Answers a second."""
        return len(self.waits_s) / self.seconds

    @property
    def mean_s(self) -> float:
        """How long callers waited on average."""
        return statistics.fmean(self.waits_s)


def stable(windows: Sequence[Window]) -> bool:
    """Tell whether the last three windows are alike."""
    last = windows[-WINDOWS:]
    columns = ([window.a_second for window in last], [window.mean_s for window in last])
    return len(last) == WINDOWS and all(map(_alike, columns))


def _alike(values: Sequence[float]) -> bool:
    mean = statistics.fmean(values)
    return all(abs(value - mean) <= TOLERANCE * mean for value in values)


def cut(ends: Sequence[tuple[float, float]], began_s: float, count: int) -> Iterator[Window]:
    """Cut answers, (when it came, how long it was waited for) in the order in which they came, into full windows."""
    for first in range(0, len(ends) - count + 1, count):
        part = ends[first : first + count]
        end_s = part[-1][0]
        yield Window(end_s - began_s, tuple(wait for _, wait in part))
        began_s = end_s
