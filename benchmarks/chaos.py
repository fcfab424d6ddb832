"""How soon are clips answered again when a process of the server is killed under load, and is every answer right?

python -m benchmarks.chaos [--url HOST:PORT --pid PID] [--callers 2]

Each stub of a step is killed in turn (SIGKILL), then a decoder, then tritonserver, under the load of callers who take
turns. The moment after, a newcomer asks for a clip. How long he waits, less what a newcomer waits under this load when
nothing is killed, is the time without service. All use the client as it is.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

import psutil
import typer

from benchmarks import load
from benchmarks.bars import SHARED_CORES, Bar, bars_table, draw, write_json
from benchmarks.load import Target
from benchmarks.measure import RESULTS, publish, table
from benchmarks.watching import Watch, family
from triptych.serving.supervision.processes import lives, step_of
from triptych_client import Analysis
from triptych_client.aio import AsyncClient
from triptych_client.contract import STEPS
from triptych_client.errors import TriptychClientError

SERVER = "tritonserver"
TOLERANCE = 1e-4
STUB_BAR_S, SERVER_BAR_S = 5.0, 15.0
PATIENCE_S = 180.0
POLL_S = 0.05
PAUSE_S = 0.5
"""How long a caller whose call failed waits before the next."""
CALM_NEWCOMERS = 5
"""So many newcomers, one after the other, tell how long one waits when nothing is killed."""
CALM_ANSWERS = 3
"""So many answers between two kills: each finds a server that has settled."""


@dataclass(frozen=True)
class Event:
    """One call: when it began and ended (time.monotonic()), and its analysis, or the words of its error."""

    began_s: float
    ended_s: float
    analysis: Analysis | None = None
    error: str = ""


@dataclass
class Callers:
    """Steady load of a clip, and what came of it."""

    url: str
    clip: bytes
    events: list[Event] = field(default_factory=list)

    async def run(self, count: int) -> None:
        """Let so many callers ask again and again, until this is cancelled."""
        await asyncio.gather(*(self._caller() for _ in range(count)))

    async def newcomer(self) -> float:
        """Ask over a connection of its own until there is an answer; return the seconds that takes, or TimeoutError."""
        began = time.monotonic()
        async with AsyncClient(self.url, timeout_s=PATIENCE_S) as client:
            await asyncio.wait_for(self._answered(client), PATIENCE_S)
        return time.monotonic() - began

    async def _caller(self) -> None:
        async with AsyncClient(self.url, timeout_s=PATIENCE_S) as client:
            while True:
                await self._answered(client)

    async def _answered(self, client: AsyncClient) -> None:
        while not await self._ask(client):
            await asyncio.sleep(PAUSE_S)

    async def _ask(self, client: AsyncClient) -> bool:
        began = time.monotonic()
        try:
            analysis = await client.analyze(self.clip)
        except TriptychClientError as error:
            self.events.append(Event(began, time.monotonic(), error=f"{type(error).__name__}: {error}"))
            return False
        self.events.append(Event(began, time.monotonic(), analysis))
        return True

    async def answered_after(self, moment: float, count: int = 1) -> Event:
        """Return the event that makes so many answers to calls that began after a moment; TimeoutError if none does."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answers = [event for event in self.events if event.analysis and event.began_s >= moment]
            if len(answers) >= count:
                return answers[count - 1]
            await asyncio.sleep(POLL_S)
        raise asyncio.TimeoutError(f"no answer to a call within {PATIENCE_S:.0f} s")


@dataclass(frozen=True)
class Kill:
    """One process that was killed: how long it took until a call that began afterwards was answered, and the harm."""

    victim: str
    at_s: float
    """Seconds after the watch began."""
    back_s: float
    """How long the newcomer waited for an answer; infinite when he got none."""
    lost: Sequence[str]
    """The words of the calls that failed, to the callers, meanwhile."""


def victims(pid: int) -> dict[str, Callable[[], psutil.Process]]:
    """Return how to find each process that is killed: every stub by its step, one decoder, and tritonserver."""
    stubs = {step: lambda step=step: _stub(pid, step) for step in STEPS}
    return {**stubs, "a decoder": lambda: _decoder(pid), SERVER: lambda: _server(pid)}


def _server(pid: int) -> psutil.Process:
    return _first(process for process in family(pid) if process.name() == SERVER)


def _stub(pid: int, step: str) -> psutil.Process:
    return _first(process for process in _server(pid).children() if step_of(process) == step and lives(process))


def _decoder(pid: int) -> psutil.Process:
    """Return a process that decodes: a child of what forks them, which is a child of the stub."""
    forks = _first(_stub(pid, "video_decode").children())
    return _first(child for child in forks.children() if lives(child))


def _first(found: Iterable[psutil.Process]) -> psutil.Process:
    """Return the first process; LookupError when there is none."""
    for process in found:
        return process
    raise LookupError("the process that was to be killed is not there")


def main(
    url: Annotated[str, typer.Option(help="host:port of a service that runs; else one is started.")] = "",
    pid: Annotated[int, typer.Option(help="Its process.")] = 0,
    callers: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Kill them, and write down what came of it."""
    with load.target(url, pid) as service, Watch(service.pid) as watch:
        found = victims(service.pid)
        calm, kills, events, reference = asyncio.run(measure(service, watch, load.short_clip(), callers, found))
    bars = [
        *(_bar(kill, statistics.median(calm)) for kill in kills),
        Bar("wrong answers", len(wrong(events, reference)), 0),
    ]
    command = f"python -m benchmarks.chaos --callers {callers}"
    draw(RESULTS / "chaos.svg", watch.samples, {kill.victim: kill.at_s for kill in kills}, _rates(events, watch))
    write_json("chaos", command, bars, watch.samples, calm_s=calm, kills=[vars(kill) for kill in kills])
    publish("chaos", command, _report(calm, kills, events, reference, bars))
    raise typer.Exit(0 if all(bar.met for bar in bars) else 1)


async def measure(
    service: Target, watch: Watch, clip: bytes, callers: int, found: dict[str, Callable[[], psutil.Process]]
) -> tuple[list[float], list[Kill], list[Event], Analysis]:
    """Return newcomers' waits in calm, the kills, every call, and the answer that all are held against."""
    async with AsyncClient(service.url, timeout_s=PATIENCE_S) as client:
        reference = await client.analyze(clip)
    async with _steady(service.url, clip, callers) as load_on_it:
        await load_on_it.answered_after(time.monotonic())
        calm = [await load_on_it.newcomer() for _ in range(CALM_NEWCOMERS)]
        kills = [await _kill(name, find, load_on_it, watch) for name, find in found.items()]
    return calm, kills, load_on_it.events, reference


@asynccontextmanager
async def _steady(url: str, clip: bytes, count: int):
    callers = Callers(url, clip)
    running = asyncio.create_task(callers.run(count))
    try:
        yield callers
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _kill(name: str, find: Callable[[], psutil.Process], callers: Callers, watch: Watch) -> Kill:
    before = len(callers.events)
    moment = time.monotonic()
    find().kill()
    try:
        back_s = await callers.newcomer()
        await callers.answered_after(time.monotonic(), CALM_ANSWERS)
    except asyncio.TimeoutError:
        back_s = math.inf
    lost = [event.error for event in callers.events[before:] if event.error]
    return Kill(name, moment - watch.began, back_s, lost)


def wrong(events: Sequence[Event], reference: Analysis) -> list[Event]:
    """Return the answers that are not the reference's, though every channel says that it is as it was there."""
    return [event for event in events if event.analysis and not _same(event.analysis, reference)]


def degraded(events: Sequence[Event], reference: Analysis) -> list[Event]:
    """Return the answers that say themselves that a channel failed which the reference has."""
    return [event for event in events if event.analysis and _states(event.analysis) != _states(reference)]


def _states(analysis: Analysis) -> dict[str, str]:
    return {name: channel.status for name, channel in analysis.channels.items()}


def _same(analysis: Analysis, reference: Analysis) -> bool:
    if _states(analysis) != _states(reference):
        return True
    wanted = reference.emotion.probabilities
    return all(abs(analysis.emotion.probabilities[name] - value) <= TOLERANCE for name, value in wanted.items())


def _bar(kill: Kill, calm_s: float) -> Bar:
    limit = SERVER_BAR_S if kill.victim == SERVER else STUB_BAR_S
    return Bar(f"{kill.victim}: without service for", kill.back_s - calm_s, limit, "s")


def _report(
    calm: Sequence[float], kills: Sequence[Kill], events: Sequence[Event], reference: Analysis, bars: Sequence[Bar]
) -> str:
    answers = sum(event.analysis is not None for event in events)
    lost = Counter(words for kill in kills for words in kill.lost)
    rows = [(words.replace("|", "/"), count) for words, count in lost.most_common()]
    waits = [(kill.victim, f"{kill.back_s:.1f}", len(kill.lost)) for kill in kills]
    return "\n\n".join(
        [
            f"{len(events)} calls, {answers} answered. Of the answers, "
            f"{len(wrong(events, reference))} differ from that before the first kill by more than {TOLERANCE:g}, and "
            f"{len(degraded(events, reference))} say that a channel failed. A newcomer who asks right after a kill "
            f"waits as below; without one, under the same load, {min(calm):.1f} s at least and "
            f"{statistics.median(calm):.1f} s in the median of {len(calm)}: what is more than that is the time without "
            f"service. {SHARED_CORES}",
            table(("killed", "a newcomer waits, s", "calls lost to callers"), waits),
            bars_table(bars),
            table(("what callers were told of lost calls, after the client's own second try", "times"), rows),
            "![Memory, shared memory, files, processes and replies over time](chaos.svg)",
        ]
    )


def _rates(events: Sequence[Event], watch: Watch) -> dict[str, list[float]]:
    return {
        "answered": [event.ended_s - watch.began for event in events if event.analysis],
        "lost": [event.ended_s - watch.began for event in events if event.error],
    }


if __name__ == "__main__":
    typer.run(main)
