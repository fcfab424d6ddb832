"""Does anything grow while strangers' clips of every kind come for half an hour, and does it end as it should?

python -m benchmarks.soak [--minutes 30] [--callers 3]

Good, odd, broken, cancelled and oversized clips; then SIGTERM under load, a start, SIGKILL under load, and a start.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated

import numpy as np
import psutil
import typer

from benchmarks import load
from benchmarks.bars import SHARED_CORES, Bar, bars_table, draw, growth_bars, trends_table, write_json
from benchmarks.fuzz import bombs, cases, seeds
from benchmarks.fuzz.seeds import Form
from benchmarks.load import LEFT, OK, Manners, Reply
from benchmarks.measure import RESULTS, publish, table
from benchmarks.watching import MIB, SHARED, Sample, Watch, cost_of, family
from triptych.media.limits import Limits
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving.service import Service
from triptych.serving.supervision.processes import step_of

GOOD, ODD, BROKEN, BOMB, CANCELLED, OVERSIZED = KINDS = ("good", "odd", "broken", "bomb", "cancelled", "oversized")
SHARES = {GOOD: 10, ODD: 4, BROKEN: 3, BOMB: 1, CANCELLED: 3, OVERSIZED: 1}
"""How often each kind comes."""
EXPECTED = {
    GOOD: {OK},
    ODD: {OK},
    BROKEN: {OK, "INVALID_ARGUMENT"},
    BOMB: {OK, "INVALID_ARGUMENT"},
    CANCELLED: {OK, LEFT},
    OVERSIZED: {"RESOURCE_EXHAUSTED"},
}
"""What each may come to; besides, whoever comes when there is no place is told so. None may be lost: nobody kills."""
DEADLINE_S = 120.0
MANNERS = Manners(DEADLINE_S)
WORK = BUILD / "benchmarks" / "soaked"
SETTLING = 0.1
"""The first part of the time is not judged."""
GROWTH_BARS = {"pss_mib": 2.0, "shm_mib": 2.0, "files": 2.0, "processes": 2.0}
"""Percent of the mean, over the time that is judged."""
DRAIN_S = 60.0
"""The service's own deadline for what runs when it is told to stop."""
END_S = 30.0
"""What it has besides until its processes are gone."""


@dataclass(frozen=True)
class Sent:
    """One call, and of which kind it was."""

    kind: str
    reply: Reply

    @property
    def unexpected(self) -> bool:
        """Whether it came to something that it may not come to."""
        busy = self.reply.status == "RESOURCE_EXHAUSTED" and self.reply.hint_ms is not None
        return self.reply.status not in EXPECTED[self.kind] and not busy


class Traffic:
    """Clips of every kind, chosen at random but the same in every run."""

    def __init__(self, good: bytes) -> None:
        silent = seeds.encode(Form("mp4", "mp4", "libx264"))
        corpus = cases.Corpus.of(seeds.made())
        quick = [build for name, build in bombs.BOMBS.items() if name not in bombs.SLOW]
        odd = [silent, *(seed.data for seed in corpus.seeds.values())]
        damaged = corpus.mutated(500)
        self._largest = [lambda data=data: data for data in odd] + quick
        self.makers: dict[str, Callable[[Random], bytes]] = {
            GOOD: lambda random: good,
            ODD: lambda random: random.choice(odd),
            BROKEN: lambda random: corpus.data(random.choice(damaged)),
            BOMB: lambda random: random.choice(quick)(),
            CANCELLED: lambda random: good,
            OVERSIZED: lambda random: bytes(round(Limits().mebibytes * (1 << 20)) + (2 << 20)),
        }

    async def send(self, url: str, random: Random) -> Sent:
        """Send one clip."""
        kind = random.choices(list(SHARES), list(SHARES.values()))[0]
        body = load.message(await asyncio.to_thread(self.makers[kind], random))
        if kind == CANCELLED:
            return Sent(kind, await load.vanish(url, body, DEADLINE_S, random.uniform(0, 3)))
        async with load.channel(url) as opened:
            return Sent(kind, await load.call(opened, body, DEADLINE_S))

    async def settle(self, url: str, callers: int) -> None:
        """Send every odd clip and every bomb, each by all callers at once: every step meets its largest batch."""
        for build in self._largest:
            body = load.message(await asyncio.to_thread(build))
            async with load.channel(url) as opened:
                await asyncio.gather(*(load.call(opened, body, DEADLINE_S) for _ in range(callers)))

    async def run(self, url: str, callers: int, seconds: float) -> list[Sent]:
        """Let so many callers send one clip after the other."""
        end = time.monotonic() + seconds
        sent: list[Sent] = []

        async def caller(number: int) -> None:
            random = Random(number)
            while time.monotonic() < end:
                sent.append(await self.send(url, random))
                if sent[-1].reply.refused:
                    await asyncio.sleep(MANNERS.pause_s(sent[-1].reply, random))

        await asyncio.gather(*map(caller, range(callers)))
        return sent


@dataclass(frozen=True)
class Ending:
    """How a service ended that was told to, or killed, while clips were in it."""

    name: str
    seconds: float
    status: int | None
    in_flight: Counter[str]
    """What the clips came to that were in it."""
    processes_left: Sequence[str]
    files_left: Sequence[str]

    def bars(self) -> list[Bar]:
        """Return what is held against the issue's bars."""
        told = self.name == "SIGTERM"
        known = [
            Bar(f"{self.name}: ended after", self.seconds, DRAIN_S + END_S, "s"),
            Bar(f"{self.name}: processes left", len(self.processes_left), 0),
        ]
        if told:
            known += [
                Bar("SIGTERM: exit status", abs(self.status or 0), 0),
                Bar("SIGTERM: files left in /dev/shm", len(self.files_left), 0),
                Bar("SIGTERM: clips let in that were not answered", self._unanswered(), 0),
            ]
        return known

    def _unanswered(self) -> int:
        return sum(count for status, count in self.in_flight.items() if status not in (OK, *load.REFUSED))


def main(
    minutes: Annotated[float, typer.Option(min=0.1)] = 30.0,
    callers: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Soak, and write down what grew."""
    good = load.short_clip()
    traffic = Traffic(good)
    with Service(MODEL_REPOSITORY, work=WORK) as service, Watch(pid_of(service)) as watch:
        asyncio.run(load.until_answered(service.grpc_url, load.message(good), DEADLINE_S))
        asyncio.run(traffic.settle(service.grpc_url, callers))
        settled_s, held = watch.now_s(), [held_by(pid_of(service))]
        sent = asyncio.run(traffic.run(service.grpc_url, callers, 60 * minutes))
        soaked = watch.between(settled_s, watch.now_s())
        held.append(held_by(pid_of(service)))
        told = asyncio.run(end(service, watch, good, callers, "SIGTERM"))
    killed, restart_s = kill_and_start(good, callers, MODEL_REPOSITORY, WORK)
    bars = [*soak_bars(soaked, sent), *told.bars(), *killed.bars(), *restart_bars(restart_s, killed)]
    command = f"python -m benchmarks.soak --minutes {minutes:g} --callers {callers}"
    draw(RESULTS / "soak.svg", soaked, {}, _rates(sent, watch))
    write_json("soak", command, bars, soaked, outcomes={kind: dict(counts) for kind, counts in outcomes(sent).items()})
    publish("soak", command, _report(soaked, sent, bars, held))
    raise typer.Exit(0 if all(bar.met for bar in bars) else 1)


def soak_bars(samples: Sequence[Sample], sent: Sequence[Sent]) -> list[Bar]:
    """Return the bars of the time under mixed traffic."""
    judged = samples[int(SETTLING * len(samples)) :]
    hours = (judged[-1].at_s - judged[0].at_s) / 3600
    odd = Bar("clips that came to what they may not", sum(one.unexpected for one in sent), 0)
    return [odd, *growth_bars(judged, hours, GROWTH_BARS)]


def restart_bars(restart_s: float, killed: Ending) -> list[Bar]:
    """Return the bars of the start after SIGKILL: what the killed one left behind is swept by then."""
    left = still_there(killed.files_left)
    return [
        Bar("started again after SIGKILL, and answered after", restart_s, 180.0, "s"),
        Bar("files in /dev/shm of the killed one, after the next start", len(left), 0),
    ]


def still_there(names: Sequence[str]) -> list[str]:
    """Return which of the files in /dev/shm are still there."""
    return [name for name in names if Path(SHARED, name).exists()]


async def end(service: Service, watch: Watch, good: bytes, callers: int, name: str) -> Ending:
    """End a service while as many clips as callers are in it, and look at what is left of it."""
    body, running = load.message(good), family(pid_of(service))
    names = {process.pid: _name(process) for process in running}
    watch.read()
    async with load.channel(service.grpc_url) as opened:
        calls = [asyncio.create_task(load.call(opened, body, DEADLINE_S)) for _ in range(callers)]
        await asyncio.sleep(1)  # they are on their way
        began = time.monotonic()
        assert service.process is not None
        service.process.send_signal(signal.Signals[name])
        status = await asyncio.to_thread(service.process.wait, DRAIN_S + END_S)
        seconds = time.monotonic() - began
        replies = await asyncio.gather(*calls)
    _, alive = psutil.wait_procs(running, timeout=END_S)
    return Ending(name, seconds, status, load.statuses(replies), [names[one.pid] for one in alive], watch.left_behind())


def kill_and_start(good: bytes, callers: int, repository: Path, work: Path) -> tuple[Ending, float]:
    """Kill a service under load, start it again in the same place, and return how both went."""
    with Service(repository, work=work) as first, Watch(pid_of(first)) as watch:
        asyncio.run(load.until_answered(first.grpc_url, load.message(good), DEADLINE_S))
        killed = asyncio.run(end(first, watch, good, callers, "SIGKILL"))
    began = time.monotonic()
    with Service(repository, work=work) as second:
        asyncio.run(load.until_answered(second.grpc_url, load.message(good), DEADLINE_S))
        return killed, time.monotonic() - began


def outcomes(sent: Sequence[Sent]) -> Mapping[str, Counter[str]]:
    """Return how many calls of each kind came to which status."""
    return {kind: load.statuses([one.reply for one in sent if one.kind == kind]) for kind in KINDS}


def _name(process: psutil.Process) -> str:
    """Return the step whose stub a process is, or its name."""
    return step_of(process) or process.name()


def pid_of(service: Service) -> int:
    """Return the process of a service that runs."""
    assert service.process is not None
    return service.process.pid


def held_by(pid: int) -> Mapping[str, tuple[float, int]]:
    """Return the memory (PSS, MiB) and the open files of the processes of a service, by step or name."""
    held: dict[str, tuple[float, int]] = {}
    for process in family(pid):
        if cost := cost_of(process):
            memory_mib, files = held.get(_name(process), (0.0, 0))
            held[_name(process)] = memory_mib + cost[0] / MIB, files + cost[1]
    return held


def _report(
    samples: Sequence[Sample],
    sent: Sequence[Sent],
    bars: Sequence[Bar],
    held: Sequence[Mapping[str, tuple[float, int]]],
) -> str:
    rows = [(kind, sum(counts.values()), _counted(counts)) for kind, counts in outcomes(sent).items()]
    seconds = np.median([one.reply.seconds for one in sent if one.kind == GOOD])
    return "\n\n".join(
        [
            f"{len(sent)} clips; a good one took {seconds:.1f} s (median). {SHARED_CORES}",
            table(("kind", "clips", "came to"), rows),
            bars_table(bars),
            f"Slopes, without the first {SETTLING:.0%} of the time:\n\n"
            + trends_table(samples[int(SETTLING * len(samples)) :]),
            _grown(*held),
            "![Memory, shared memory, files, processes and replies over time](soak.svg)",
        ]
    )


def _grown(before: Mapping[str, tuple[float, int]], after: Mapping[str, tuple[float, int]]) -> str:
    """Return what each process held before and after."""
    lines = [
        (name, f"{before[name][0]:.0f} to {after[name][0]:.0f}", f"{before[name][1]} to {after[name][1]}")
        for name in sorted(before.keys() & after.keys(), key=lambda name: before[name][0] - after[name][0])
    ]
    return table(("process", "MiB (PSS)", "open files"), lines)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{status} {count}" for status, count in counts.most_common())


def _rates(sent: Sequence[Sent], watch: Watch) -> dict[str, list[float]]:
    return {kind: [one.reply.ended_s - watch.began for one in sent if one.kind == kind] for kind in KINDS}


if __name__ == "__main__":
    typer.run(main)
