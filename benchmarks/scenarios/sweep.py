"""So many callers who take turns, until three windows are alike: what perf_analyzer does, with its columns.

perf_analyzer itself is no package of the index; where it runs, the same is
`perf_analyzer -m emotion -i grpc --measurement-mode count_windows --concurrency-range 1:32`.
"""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import counters, load
from benchmarks.counters import Counted
from benchmarks.load import OK
from benchmarks.scenarios.stability import MOST_WINDOWS, WINDOWS, Window, cut, stable
from benchmarks.watching import percentile
from triptych_client.contract import ENSEMBLE

PATIENCE_S = 600.0
COLUMNS = (
    "Concurrency",
    "Inferences/Second",
    "Client Send",
    "Network+Server Send/Recv",
    "Server Queue",
    "Server Compute Input",
    "Server Compute Infer",
    "Server Compute Output",
    "Client Recv",
    "p50 latency",
    "p90 latency",
    "p95 latency",
    "p99 latency",
)
"""Of the file that perf_analyzer writes with `-f`; latencies in microseconds."""


@dataclass(frozen=True)
class Level:
    """So many callers: the windows, whether the last three are alike, and what Triton counted from first to last."""

    callers: int
    windows: tuple[Window, ...]
    stable: bool
    steps: dict[str, Counted]

    @property
    def last(self) -> Window:
        """The last three windows as one: what is reported."""
        last = self.windows[-WINDOWS:]
        return Window(sum(part.seconds for part in last), tuple(wait for part in last for wait in part.waits_s))

    @property
    def answers(self) -> int:
        """How many answers Triton counted, those of all windows and of callers on their way."""
        return self.steps[ENSEMBLE].requests


def measure(url: str, body: bytes, callers: int, window: int) -> Level:
    """Let so many callers ask until the load is stable, or for MOST_WINDOWS.

    A window has so many answers, or as many as there are callers.
    RuntimeError when a call is not answered.
    """
    before = counters.read(url)
    windows = asyncio.run(_windows(url, body, callers, max(window, callers)))
    return Level(callers, windows, stable(windows), counters.since(url, before))


async def _windows(url: str, body: bytes, callers: int, count: int) -> tuple[Window, ...]:
    began_s = time.monotonic()
    ends: list[tuple[float, float]] = []
    windows: list[Window] = []

    async def caller() -> None:
        async with load.channel(url) as opened:
            while not _over(windows):
                reply = await load.call(opened, body, PATIENCE_S)
                if reply.status != OK:
                    raise RuntimeError(f"one of {callers} callers had no answer: {reply.status}: {reply.words}")
                ends.append((reply.ended_s, reply.seconds))
                if not _over(windows):  # those who are still on their way when it is over change nothing
                    windows[:] = cut(ends, began_s, count)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return tuple(windows)


def _over(windows: Sequence[Window]) -> bool:
    return len(windows) >= MOST_WINDOWS or stable(windows)


def perf_csv(levels: Sequence[Level]) -> str:
    """Return perf_analyzer's file: by rising throughput.

    The client neither encodes nor decodes here, so its two columns are 0. The server's are the ensemble's own counters:
    the sums of its steps, of which some run side by side, so that they can exceed the latency.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for level in sorted(levels, key=lambda level: level.last.a_second):
        writer.writerow(_row(level))
    return text.getvalue()


def _row(level: Level) -> list[object]:
    counted, last = level.steps[ENSEMBLE], level.last
    server = (counted.queue_s, counted.input_s, counted.infer_s, counted.output_s)
    parts = [_us(seconds / max(counted.requests, 1)) for seconds in server]
    network = max(0, _us(last.mean_s) - sum(parts))
    shares = [_us(percentile(last.waits_s, share)) for share in (0.5, 0.9, 0.95, 0.99)]
    return [level.callers, f"{last.a_second:.3f}", 0, network, *parts, 0, *shares]


def _us(seconds: float) -> int:
    return round(1e6 * seconds)
