"""What clips cost a service, in seconds of processor time and of waiting; and its memory while it answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from benchmarks import load
from benchmarks.growth.lines import Line, through
from benchmarks.load import OK, Target
from benchmarks.watching import Sample, Watch, cpu_s, family
from triptych_client import Client

PATIENCE_S = 600.0
FEWEST = 8
"""Answers of a load of callers, at least; each has two at least."""


@dataclass(frozen=True)
class Asked:
    """One clip asked for once: its size by whatever grows, and what it cost."""

    size: float
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Found:
    """What the answer for a clip holds: so a clip that is to have eight faces is known to have them."""

    faces: int
    people: int


@dataclass(frozen=True)
class Growth:
    """One thing that grows: what it is called, what was found in each clip, and what each call cost."""

    what: str
    found: Mapping[float, Found]
    asked: Sequence[Asked]

    @property
    def sizes(self) -> list[float]:
        """Every size, rising."""
        return sorted({one.size for one in self.asked})

    def cpu_s(self, size: float) -> list[float]:
        """Return what each call for a size cost in processor time."""
        return [one.cpu_s for one in self.asked if one.size == size]

    def wall_s(self, size: float) -> list[float]:
        """Return how long each call for a size took."""
        return [one.wall_s for one in self.asked if one.size == size]

    def line(self) -> Line:
        """Return the line through the processor times."""
        return through([one.size for one in self.asked], [one.cpu_s for one in self.asked])

    def ratio(self, one: float, other: float) -> float:
        """Return how much longer a size takes than another, by medians of waiting."""
        return median(self.wall_s(one)) / median(self.wall_s(other))


@dataclass(frozen=True)
class Memory:
    """The service's memory while it gave so many answers: readings, and the line through them by answers."""

    answers: int
    peak_mib: float
    line: Line
    """MiB, an answer."""


def grow(what: str, service: Target, clips: Mapping[float, bytes], repeats: int) -> Growth:
    """Ask for each clip so often, in rounds, so that a drift of the machine's speed meets all."""
    found: dict[float, Found] = {}
    asked = []
    with Client(service.url) as client:
        for size, clip in clips.items():
            answer = client.analyze(clip, timeout_s=PATIENCE_S)
            found[size] = Found(len(answer.faces), len(answer.people))
        for _ in range(repeats):
            for size, clip in clips.items():
                before, began = cpu_s(family(service.pid)), time.perf_counter()
                client.analyze(clip, timeout_s=PATIENCE_S)
                wall_s = time.perf_counter() - began
                asked.append(Asked(size, wall_s, cpu_s(family(service.pid)) - before))
    return Growth(what, found, asked)


def crowd(what: str, service: Target, body: bytes, callers: Sequence[int], repeats: int) -> Growth:
    """Ask for a clip by so many callers who take turns, A B C A B C ..; a call's cost is the mean of a load's."""
    asked = []
    for _ in range(repeats):
        for count in callers:
            before = cpu_s(family(service.pid))
            waits = [wait_s for _, wait_s in asyncio.run(_calls(service.url, body, count, max(FEWEST, 2 * count)))]
            used_s = cpu_s(family(service.pid)) - before
            asked.append(Asked(count, fmean(waits), used_s / len(waits)))
    return Growth(what, {}, asked)


def remember(service: Target, body: bytes, callers: int, answers: int) -> Memory:
    """Have so many answers given, and read the memory meanwhile: once a second, by how many were given."""
    with Watch(service.pid) as watch:
        calls = asyncio.run(_calls(service.url, body, callers, answers))
    return remembered(watch.samples, [ended_s - watch.began for ended_s, _ in calls])


def remembered(samples: Sequence[Sample], ends_s: Sequence[float]) -> Memory:
    """Return the line through memory, by answers given: those of the first tenth, which it settles by, are left out."""
    settled_s = sorted(ends_s)[len(ends_s) // 10]
    readings = [sample for sample in samples if sample.at_s >= settled_s]
    given = [sum(end_s <= sample.at_s for end_s in ends_s) for sample in readings]
    memory = [sample.pss_mib for sample in readings]
    return Memory(len(ends_s), max(sample.pss_mib for sample in samples), through(given, memory))


async def _calls(url: str, body: bytes, callers: int, clips: int) -> list[tuple[float, float]]:
    """Return when each answer came, by time.monotonic(), and how long it was waited for; RuntimeError for none."""
    left, replies = iter(range(clips)), []

    async def caller() -> None:
        async with load.channel(url) as opened:
            for _ in left:
                reply = await load.call(opened, body, PATIENCE_S)
                if reply.status != OK:
                    raise RuntimeError(f"no answer: {reply.status}: {reply.words}")
                replies.append((reply.ended_s, reply.seconds))

    await asyncio.gather(*(caller() for _ in range(callers)))
    return replies
