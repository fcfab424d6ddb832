"""What happens when ten times as many clips come as can be answered?

python -m benchmarks.overload [--url HOST:PORT --pid PID] [--seconds 120]

First the capacity: callers who take turns, as many as the door lets in at once. Then ten times that at random times,
and 64 and 256 impatient callers, some of whom vanish; after each, how soon a call is answered again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from benchmarks import load
from benchmarks.bars import SHARED_CORES, Bar, bars_table, draw, growth_bars, trends_table, write_json
from benchmarks.load import LEFT, OK, Manners, Reply, Target
from benchmarks.measure import RESULTS, publish, table
from benchmarks.watching import Watch, percentile
from triptych.serving.door.admission import Bounds

IN_FLIGHT = Bounds.in_flight
"""As many as the door hands to Triton at once."""
OVERLOAD = 10
CROWDS = (64, 256)
ARRIVAL_S = 2.0
"""Callers of a crowd come within so long of each other: each opens a connection, which costs the door 2 ms more than
its call, and all in one moment would wait for each other's."""
DEADLINE_S = 5.0
VANISHING = 0.05
PATIENCE_S = 60.0

GOODPUT_BAR, REFUSAL_BAR_MS, RECOVERY_BAR_S = 0.9, 200.0, 5.0
GROWTH_BARS = {"pss_mib": 5.0, "shm_mib": 5.0, "files": 5.0, "processes": 5.0}
"""Percent of the mean, over the last three quarters of a phase."""


@dataclass(frozen=True)
class Phase:
    """One kind of load: when it was, what its calls came to, and how soon a call was answered afterwards."""

    name: str
    start_s: float
    end_s: float
    replies: Sequence[Reply]
    recovery_s: float
    load_s: float
    """Seconds of processor time that the callers and the watch took meanwhile, of the cores that the server runs on."""

    @property
    def goodput(self) -> float:
        """Answers a second."""
        return sum(reply.status == OK for reply in self.replies) / (self.end_s - self.start_s)

    @property
    def refusals_ms(self) -> list[float]:
        """How long each refused caller waited for the refusal."""
        return [1000 * reply.seconds for reply in self.replies if reply.refused]

    def bars(self, capacity: float, watch: Watch) -> list[Bar]:
        """Return what is held against the issue's bars."""
        settled_s = self.start_s + (self.end_s - self.start_s) / 4
        hours = (self.end_s - settled_s) / 3600
        found = [
            Bar("answers a second, of the capacity", self.goodput / capacity, GOODPUT_BAR, at_least=True),
            Bar("a refusal, p99", percentile(self.refusals_ms, 0.99), REFUSAL_BAR_MS, "ms"),
            Bar("an answer again after", self.recovery_s, RECOVERY_BAR_S, "s"),
            *growth_bars(watch.between(settled_s, self.end_s), hours, GROWTH_BARS),
        ]
        return [Bar(f"{self.name}: {bar.name}", bar.value, bar.limit, bar.unit, bar.at_least) for bar in found]


def main(
    url: Annotated[str, typer.Option(help="host:port of a service that runs; else one is started.")] = "",
    pid: Annotated[int, typer.Option(help="Its process.")] = 0,
    seconds: Annotated[float, typer.Option(min=5, help="How long each load lasts.")] = 120.0,
) -> None:
    """Measure, and write down what was held."""
    with load.target(url, pid) as service, Watch(service.pid) as watch:
        capacity, phases = asyncio.run(measure(service, watch, load.short_clip(), seconds))
    command = f"python -m benchmarks.overload --seconds {seconds:g}"
    bars = [bar for phase in phases for bar in phase.bars(capacity.goodput, watch)]
    draw(
        RESULTS / "overload.svg", watch.samples, {phase.name: phase.start_s for phase in phases}, _rates(phases, watch)
    )
    write_json("overload", command, bars, watch.samples, capacity=capacity.goodput, phases=list(map(_facts, phases)))
    publish("overload", command, _report(capacity, phases, bars, watch))
    raise typer.Exit(0 if all(bar.met for bar in bars) else 1)


async def measure(service: Target, watch: Watch, clip: bytes, seconds: float) -> tuple[Phase, list[Phase]]:
    """Return the capacity as a phase, and the phases of overload."""
    url, body = service.url, load.message(clip)
    await load.until_answered(url, body, PATIENCE_S)
    patient, impatient = Manners(PATIENCE_S), Manners(DEADLINE_S, vanishing=VANISHING)

    async def phase(name: str, work: Callable[[], Awaitable[list[Reply]]]) -> Phase:
        start_s, before_s = watch.now_s(), time.process_time()
        replies = await work()
        end_s, load_s = watch.now_s(), time.process_time() - before_s
        return Phase(name, start_s, end_s, replies, await load.until_answered(url, body, PATIENCE_S), load_s)

    capacity = await phase("capacity", lambda: load.closed_loop(url, body, IN_FLIGHT, seconds, patient))
    a_second = OVERLOAD * capacity.goodput
    phases = [await phase("tenfold", lambda: load.open_loop(url, body, a_second, seconds, impatient))]
    for callers in CROWDS:
        crowd = await phase(
            f"{callers} callers", partial(load.closed_loop, url, body, callers, seconds, impatient, ARRIVAL_S)
        )
        phases.append(crowd)
    return capacity, phases


def _report(capacity: Phase, phases: Sequence[Phase], bars: Sequence[Bar], watch: Watch) -> str:
    return "\n\n".join(
        [
            f"Capacity: {capacity.goodput:.2f} answers a second with {IN_FLIGHT} callers who take turns. Impatient "
            f"callers wait {DEADLINE_S:g} s, and {VANISHING:.0%} of the calls are left in the middle by closing the "
            "connection. Those of the tenfold load come whatever became of others; callers of a crowd come within "
            f"{ARRIVAL_S:g} s and wait after a refusal as long as the server hints. {SHARED_CORES}",
            _replies_table([capacity, *phases]),
            bars_table(bars),
            "Over the whole run:\n\n" + trends_table(watch.samples),
            "![Memory, shared memory, files, processes and replies over time](overload.svg)",
        ]
    )


def _replies_table(phases: Sequence[Phase]) -> str:
    rows = []
    for phase in phases:
        counts = load.statuses(phase.replies)
        others = ", ".join(f"{status} {count}" for status, count in counts.items() if status not in (OK, LEFT))
        waits = [reply.seconds for reply in phase.replies if reply.status == OK]
        rows.append(
            (
                phase.name,
                len(phase.replies),
                counts[OK],
                f"{phase.goodput:.2f}",
                f"{percentile(waits, 0.5):.1f}",
                counts[LEFT],
                others,
                f"{percentile(phase.refusals_ms, 0.5):.0f}",
                f"{percentile(phase.refusals_ms, 0.99):.0f}",
                f"{phase.recovery_s:.1f}",
                f"{phase.load_s / (phase.end_s - phase.start_s):.2f}",
            )
        )
    header = ("load", "calls", "answered", "a second", "p50 s", "vanished", "other statuses")
    return table((*header, "refusal p50 ms", "p99 ms", "again after s", "cores of the load"), rows)


def _rates(phases: Sequence[Phase], watch: Watch) -> dict[str, list[float]]:
    """Return when replies came, by kind."""
    replies = [reply for phase in phases for reply in phase.replies]

    def times(kind: Callable[[Reply], bool]) -> list[float]:
        return [reply.ended_s - watch.began for reply in replies if kind(reply)]

    return {"answered": times(lambda reply: reply.status == OK), "refused": times(lambda reply: reply.refused)}


def _facts(phase: Phase) -> dict[str, object]:
    waits = [reply.seconds for reply in phase.replies if reply.status == OK]
    return {
        "name": phase.name,
        "start_s": round(phase.start_s, 1),
        "end_s": round(phase.end_s, 1),
        "statuses": dict(load.statuses(phase.replies)),
        "goodput": round(phase.goodput, 3),
        "p50_s": round(percentile(waits, 0.5), 2),
        "p95_s": round(percentile(waits, 0.95), 2),
        "recovery_s": round(phase.recovery_s, 2),
        "load_s": round(phase.load_s, 1),
    }


if __name__ == "__main__":
    typer.run(main)
