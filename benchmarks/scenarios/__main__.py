"""How many clips a second, and how soon is each answered, when they come as MLPerf's scenarios have them come?

python -m benchmarks.scenarios [--seconds 20] [--queries 64] [--bound 10] [--callers 1 --callers 8 ..]

SingleStream (one after another), MultiStream (several at once), Offline (all at once) and Server (at random times; the
largest rate that is answered within the bound, by binary search), scheduled and timed by MLPerf's LoadGen; then callers
who take turns. Needs the extra `bench`. MLPerf's scenarios and LoadGen, not an MLPerf result.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import load
from benchmarks.measure import RESULTS
from benchmarks.publishing import Machine, Result
from benchmarks.scenarios import loadgen, page, sweep
from benchmarks.scenarios.calls import Caller
from benchmarks.scenarios.loadgen import MULTI, OFFLINE, SERVER, SINGLE, Schedule
from benchmarks.scenarios.page import Run
from benchmarks.scenarios.search import Tried, largest
from triptych.files import write_text
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving.door.admission import Bounds
from triptych.serving.service import Service

CALLERS = [1, 2, 4, 8, 16, 32]
STREAMS = 8
"""Clips of a query of MultiStream, as MLPerf has it."""
LOWEST = 0.1
"""The search for a rate begins at this share of the throughput of Offline."""
AT_ONCE = 8
"""Clips that Offline asks for at a time: more than the door lets in at once, so that one always waits there."""
WAITING = 64
"""Clips that may wait at the door: more than there are callers, so that none is refused for their number."""
LOGS = BUILD / "benchmarks" / "loadgen"


def main(
    seconds: Annotated[float, typer.Option(help="How long a clip is: so much of the demo clip.")] = 20.0,
    queries: Annotated[int, typer.Option(min=2, help="Of SingleStream, Offline, and each try of Server.")] = 64,
    multi: Annotated[int, typer.Option(min=2, help=f"Queries of MultiStream, of {STREAMS} clips each.")] = 12,
    bound: Annotated[float, typer.Option(help="Seconds within which Server is to answer.")] = 10.0,
    share: Annotated[float, typer.Option(help="Of the queries that are to be: 0.9 is p90.")] = 0.9,
    tries: Annotated[int, typer.Option(min=1, help="Steps of the search for the largest rate.")] = 5,
    callers: Annotated[list[int], typer.Option(help="Callers who take turns; several times.")] = CALLERS,
    window: Annotated[int, typer.Option(min=1, help="Answers of a window; at least one a caller.")] = 8,
    url: Annotated[str, typer.Option(help="host:port of a service that runs; else one is started.")] = "",
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
) -> None:
    """Measure every scenario, and write down what it came to."""
    loadgen.package()
    machine = Machine.here()
    body = load.message(load.short_clip(seconds))
    with ExitStack() as stack:
        address = url or _served(stack)
        single, multiple, offline = (
            run(address, body, schedule, AT_ONCE if schedule.scenario == OFFLINE else None)
            for schedule in (
                Schedule(SINGLE, queries, share),
                Schedule(MULTI, multi, share, streams=STREAMS),
                Schedule(OFFLINE, queries, share),
            )
        )
        capacity = offline.latencies.a_second
        attempt = partial(_attempt, address, body, Schedule(SERVER, queries, share, bound_s=bound))
        rate, tried = largest(attempt, LOWEST * capacity, capacity, tries)
        levels = [sweep.measure(address, body, count, window) for count in callers]
    runs = [single, multiple, offline]
    command = (
        f"python -m benchmarks.scenarios --seconds {seconds:g} --queries {queries} --multi {multi} --bound {bound:g} "
        f"--share {share:g} --tries {tries} --window {window} {' '.join(f'--callers {count}' for count in callers)}"
    )
    shown = page.shown(levels)
    clip = f"The first {seconds:g} s of the demo clip ({len(body) / 1e6:.1f} MB)"
    bounds = f"the door lets {Bounds.in_flight} in at once and {WAITING} wait." if not url else "a service that ran."
    page.draw(shown, out / page.PICTURE)
    write_text(out / "scenarios.csv", sweep.perf_csv(levels))
    Result(
        "scenarios",
        "Scenarios",
        command,
        machine,
        [
            page.introduction(clip, bounds),
            page.runs_table(runs),
            page.search_table(rate, tried),
            page.sweep_table(levels),
            f"![Queue and compute of each step]({page.PICTURE})",
            *map(page.steps_table, shown),
        ],
        {"note": page.NO_RESULT, "runs": runs, "server_rate": rate, "server_tries": tried, "levels": levels},
    ).publish(out)


def _served(stack: ExitStack) -> str:
    """Start a service for the time of the stack; return its address."""
    arguments = [f"--waiting={WAITING}"]
    service = stack.enter_context(Service(MODEL_REPOSITORY, work=BUILD / "benchmarks" / "served", arguments=arguments))
    return service.grpc_url


def run(url: str, body: bytes, schedule: Schedule, at_once: int | None = None) -> Run:
    """Let LoadGen run a schedule against a service; one clip is asked for before, uncounted."""
    with Caller(url, [body]) as warming:
        loadgen.run(Schedule(SINGLE, 1, schedule.share), warming.ask, 1, LOGS / "warming")
    with Caller(url, [body], at_once) as caller:
        latencies = loadgen.run(schedule, caller.ask, 1, LOGS / schedule.scenario)
    said = loadgen.said((LOGS / schedule.scenario / loadgen.LOG).read_text(encoding="utf-8"))
    return Run(schedule, latencies, caller.failed, str(said["result_validity"]).lower())


def _attempt(url: str, body: bytes, schedule: Schedule, rate: float) -> Tried[Run]:
    """Try a rate; what is still on its way was waited for, so tries do not meet."""
    found = run(url, body, Schedule(SERVER, schedule.queries, schedule.share, 1, rate, schedule.bound_s))
    return Tried(rate, found.met, found)


if __name__ == "__main__":
    typer.run(main)
