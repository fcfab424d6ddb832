"""How near does the service come to what these cores can do at all, and how much time does serving itself take?

python -m benchmarks.limit [--seconds 20] [--repeats 3]

Each step alone, on what it is given of a clip, by as many processes as the cores have room for, all at once: with each
number of threads and as many clips together as the step takes. The best of these is its pure cost; their sum is the
limit of the machine, which only a cheaper step moves. Beside it the service: what it reaches when it is saturated, and
how much longer one clip alone takes than it has to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import load
from benchmarks.limit import crew
from benchmarks.limit.costs import Cost, Limit, limit
from benchmarks.measure import RESULTS, table
from benchmarks.publishing import Machine, Result, goals
from benchmarks.scenarios import sweep
from benchmarks.watching import percentile
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving import wiring
from triptych.serving.service import Service

SATURATED = 8
"""Callers who take turns."""
SHARE_GOAL, OVERHEAD_GOAL_MS, SCALING_GOAL = 0.85, 25.0, 1.5


@dataclass(frozen=True)
class Served:
    """The service: seconds of a clip alone, clips a second one by one, and when it is saturated."""

    p50_s: float
    alone: float
    saturated: float


def main(
    seconds: Annotated[float, typer.Option(help="How long the clip is: so much of the demo clip.")] = 20.0,
    repeats: Annotated[int, typer.Option(min=1, help="Of each step in each way.")] = 3,
    window: Annotated[int, typer.Option(min=1, help="Answers of a window of the service's load.")] = 8,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
) -> None:
    """Measure the steps, then the service, and hold one against the other."""
    machine = Machine.here()
    clip = load.short_clip(seconds)
    costs = list(crew.measure(clip, repeats))
    found = limit(costs, wiring.nodes())
    with Service(MODEL_REPOSITORY, work=BUILD / "benchmarks" / "served") as service:
        served = serve(service.grpc_url, load.message(clip), window)
    command = f"python -m benchmarks.limit --seconds {seconds:g} --repeats {repeats} --window {window}"
    parts = [f"The first {seconds:g} s of the demo clip.", *report(found, served), every_way(costs, repeats)]
    facts = {"limit": found, "work_s": found.work_s, "least_s": found.least_s, "served": served, "costs": costs}
    Result("limit", "The limit of the machine", command, machine, parts, facts).publish(out)


def serve(url: str, body: bytes, window: int) -> Served:
    """Measure the service: one caller, then as many as saturate it, each until three windows are alike."""
    alone, saturated = (sweep.measure(url, body, callers, window).last for callers in (1, SATURATED))
    return Served(percentile(alone.waits_s, 0.5), alone.a_second, saturated.a_second)


def report(found: Limit, served: Served) -> list[str]:
    """Return the page's parts: what was to be reached, then where the limit comes from."""
    share, overhead_ms = served.saturated / found.a_second, 1000 * (served.p50_s - found.least_s)
    scaling = served.saturated / served.alone
    rows: list[tuple[str, str, str, bool | None]] = [
        (
            f"throughput with {SATURATED} callers ({served.saturated:.3f} a second) over the limit "
            f"({found.a_second:.3f})",
            f"at least {SHARE_GOAL:g}",
            f"{share:.2f}",
            share >= SHARE_GOAL,
        ),
        (
            f"one clip alone, p50 ({served.p50_s:.3f} s), less the least that it takes ({found.least_s:.3f} s)",
            f"at most {OVERHEAD_GOAL_MS:g} ms",
            f"{overhead_ms:.0f} ms",
            overhead_ms <= OVERHEAD_GOAL_MS,
        ),
        (
            f"throughput with {SATURATED} callers over one",
            f"at least {SCALING_GOAL:g}",
            f"{scaling:.2f}",
            scaling >= SCALING_GOAL,
        ),
    ]
    longest = (
        f"The longest way through the graph takes {found.path_s:.3f} s: {', '.join(found.path)}. All work of a clip on "
        f"all cores takes {found.work_s:.3f} s. One clip alone takes the longer of the two at least."
    )
    return [goals(rows), longest, best(found)]


def best(found: Limit) -> str:
    """Return the best way of each step, those that cost most first."""
    ranked = sorted(found.best.values(), key=lambda cost: -cost.machine_s)
    rows = [
        (
            f"`{cost.step}`",
            f"{1000 * cost.machine_s:.1f}",
            f"{cost.machine_s / found.work_s:.0%}",
            str(cost.threads),
            str(cost.clips),
        )
        for cost in ranked
    ]
    header = ("step", "ms of the whole machine a clip", "of all", "threads", "clips together")
    return f"The best way of each step; {len(rows)} steps, {1000 * found.work_s:.0f} ms.\n\n{table(header, rows)}"


def every_way(costs: Sequence[Cost], repeats: int) -> str:
    """Return all ways that were measured."""
    rows = [
        (f"`{one.step}`", one.threads, one.at_once, one.clips, f"{1000 * one.run_s:.1f}", f"{1000 * one.machine_s:.1f}")
        for one in costs
    ]
    header = ("step", "threads", "processes at once", "clips together", "ms a run", "ms of the machine a clip")
    return f"Every way; the least of {repeats} runs in each process, their mean.\n\n{table(header, rows)}"


if __name__ == "__main__":
    typer.run(main)
