"""What does a clip cost this host, and does the simulation of `triptych capacity` foresee what then becomes of callers?

python -m benchmarks.capacity [--seconds 90] [--url HOST:PORT]

First the cost of clips with speech of two lengths, one at a time and as many as the door lets in at once: written to
triptych/capacity/cpu.json, which `triptych capacity` reads. Then callers at random times at several shares of the
capacity, and the same in simulated time: the 95th percentile and the share of refusals of both. The simulation knows
the cost, the rate and the callers' patience, not what became of them. These callers send the canary's clip of 1 s, so
that many are answered.
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated

import typer

from benchmarks import load
from benchmarks.bars import SHARED_CORES
from benchmarks.load import OK, Manners, Reply
from benchmarks.measure import RESULTS, machine, publish, table
from benchmarks.watching import percentile
from triptych.capacity import simulation
from triptych.capacity.costs import MEASURED, Host, Point
from triptych.serving.door.admission import Bounds
from triptych.serving.supervision import canary

LENGTHS_S = (3.0, 20.0)
SHORT_S = 1.0
LOADS = (0.7, 1.3, 3.0)
"""Shares of the capacity: a quiet server, one that is a little too small, one that is much too small."""
DEADLINE_S = 20.0
PATIENCE_S = 60.0
SEEDS = 20
TOLERANCE = 0.2
FEW = 0.02
"""Of calls: where fewer are refused, a difference of so many is the bar: a share of nothing says little."""
MEMORY_GIB = 8.0
"""What a server is given at most: docs/deploy.md."""
START_S = 60.0
"""Until a new server answers: docker/kubernetes/base/scaling.yaml."""


@dataclass(frozen=True)
class Compared:
    """One load, as it was and as it was foreseen: seconds of the 95th percentile, shares of refused calls."""

    load: float
    calls: int
    answered: int
    p95_s: float
    foreseen_p95_s: float
    refused: float
    foreseen_refused: float

    @property
    def p95_error(self) -> float:
        """How far off the foreseen percentile is, of what was measured."""
        return abs(self.foreseen_p95_s - self.p95_s) / self.p95_s

    @property
    def refused_error(self) -> float:
        """How far off the foreseen refusals are, of what was measured."""
        return abs(self.foreseen_refused - self.refused) / max(self.refused, FEW / TOLERANCE)

    @property
    def met(self) -> bool:
        """Whether both are within the bar."""
        return self.p95_error <= TOLERANCE and self.refused_error <= TOLERANCE


def main(
    seconds: Annotated[float, typer.Option(min=10, help="How long each load lasts.")] = 90.0,
    url: Annotated[str, typer.Option(help="host:port of a service that runs with the default bounds.")] = "",
) -> None:
    """Measure, write the cost down, and compare."""
    with load.target(url) as service:
        bodies = {length_s: load.message(load.short_clip(length_s)) for length_s in LENGTHS_S}
        bodies[SHORT_S] = load.message(canary.clip().tobytes())
        *points, short = asyncio.run(costs(service.url, bodies, seconds / 3))
        rows = asyncio.run(compare(service.url, bodies[SHORT_S], short, seconds))
    command = f"python -m benchmarks.capacity --seconds {seconds:g}"
    write(points, rows, command)
    publish("capacity", command, report([*points, short], rows))
    raise typer.Exit(0 if all(row.met for row in rows) else 1)


async def costs(url: str, bodies: dict[float, bytes], seconds: float) -> list[Point]:
    """Return what clips cost, by their length."""
    await load.until_answered(url, next(iter(bodies.values())), PATIENCE_S)
    patient = Manners(PATIENCE_S)
    points = []
    for length_s, body in bodies.items():
        lone = await load.closed_loop(url, body, 1, seconds, patient)
        together = await load.closed_loop(url, body, Bounds.in_flight, seconds, patient)
        points.append(point(length_s, lone, together))
    return points


def point(length_s: float, lone: Sequence[Reply], together: Sequence[Reply]) -> Point:
    """Return what a clip costs, from replies to callers who take turns, one and as many as are let in at once."""
    alone, company = ([reply.seconds for reply in replies if reply.status == OK] for replies in (lone, together))
    lone_s = statistics.fmean(alone)
    share = (statistics.fmean(company) / lone_s - 1) / (Bounds.in_flight - 1)
    return Point(length_s, lone_s, min(max(share, 0.0), 1.5), statistics.pstdev(alone) / lone_s)


async def compare(url: str, body: bytes, cost: Point, seconds: float) -> list[Compared]:
    """Let callers come at random at each share of the capacity, then simulate the same."""
    most = cost.clips_a_second(Bounds.in_flight)
    rows = []
    for share in LOADS:
        replies = await load.open_loop(url, body, share * most, seconds, Manners(DEADLINE_S))
        rows.append(compared(share, replies, foreseen(cost, share * most, seconds)))
        await load.until_answered(url, body, PATIENCE_S)
    return rows


def foreseen(cost: Point, a_second: float, seconds: float, manners: simulation.Manners | None = None) -> Compared:
    """Return what the simulation says of a load: the mean of SEEDS runs that are as long as the real one."""
    manners = manners or simulation.Manners(DEADLINE_S)
    tallies = [simulation.open_loop(cost, Bounds(), a_second, seconds, manners, seed) for seed in range(SEEDS)]
    waits = [wait_s for tally in tallies if not math.isnan(wait_s := tally.wait_s(0.95))]
    refused = statistics.fmean(tally.refused_share for tally in tallies)
    return Compared(0, 0, 0, math.nan, statistics.fmean(waits), math.nan, refused)


def compared(share: float, replies: Sequence[Reply], simulated: Compared) -> Compared:
    """Return a load beside what was foreseen."""
    waits = [reply.seconds for reply in replies if reply.status == OK]
    refused = sum(reply.refused for reply in replies) / len(replies)
    real = {"load": share, "calls": len(replies), "answered": len(waits)}
    return replace(simulated, **real, p95_s=percentile(waits, 0.95), refused=refused)


def host(points: Sequence[Point]) -> Host:
    """Return this host as `triptych capacity` reads it."""
    source = f"measured by `python -m benchmarks.capacity` on {machine()}"
    return Host("cpu", source, 2, MEMORY_GIB, START_S, tuple(points), measured=True)


def write(points: Sequence[Point], rows: Sequence[Compared], command: str) -> None:
    """Write the cost where `triptych capacity` reads it, and beside the page what was compared."""
    facts = {"command": command, "host": asdict(host(points)), "compared": [asdict(row) for row in rows]}
    MEASURED.write_text(json.dumps({"host": facts["host"]}, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "capacity.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def report(points: Sequence[Point], rows: Sequence[Compared]) -> str:
    """Return the page."""
    cost_rows = [
        (
            f"{it.seconds:g}",
            f"{it.lone_s:.2f}",
            f"{it.share:.2f}",
            f"{it.spread:.2f}",
            f"{it.clips_a_second(Bounds.in_flight):.2f}",
        )
        for it in points
    ]
    compared_rows = [
        (
            f"{row.load:g}",
            row.calls,
            row.answered,
            f"{row.p95_s:.2f}",
            f"{row.foreseen_p95_s:.2f}",
            f"{row.p95_error:.0%}",
            f"{100 * row.refused:.1f} %",
            f"{100 * row.foreseen_refused:.1f} %",
            f"{row.refused_error:.0%}",
            "yes" if row.met else "**no**",
        )
        for row in rows
    ]
    cost_header = ("clip, s", "alone, s", "share of it that another takes", "spread", "clips a second, three at once")
    header = ("load", "calls", "answered", "p95 s", "foreseen", "off by", "refused", "foreseen", "off by", "met")
    return "\n\n".join(
        [
            f"Cost of a clip. {SHARED_CORES}",
            table(cost_header, cost_rows),
            f"Clips of {SHORT_S:g} s at random times, at so many times the capacity; they wait {DEADLINE_S:g} s. "
            f"The bar is {TOLERANCE:.0%} of what was measured; for refusals, where few, {FEW:.0%} of the calls.",
            table(header, compared_rows),
        ]
    )


if __name__ == "__main__":
    typer.run(main)
