"""A server in simulated time: the door's own admission, clips that take turns in Triton, callers who come at random.

The rules are not copied: `Admission` itself decides, with the simulation's clock (SimPy).
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import simpy

from triptych.capacity.costs import Point
from triptych.serving.door.admission import Admission, Bounds, Refusal

LEFT_SHARE = 0.1
"""Of a clip whose caller has left, so much is still done: a step that runs is not stopped, later ones are left out."""

Steps = Generator[simpy.Event, Any, Any]
"""A process of SimPy."""


@dataclass(frozen=True)
class Manners:
    """How callers behave, as those of `benchmarks.load`: how long they wait, and how many leave before, and when."""

    deadline_s: float | None = None
    vanishing: float = 0.0
    vanish_after_s: float = 2.0


@dataclass
class Tally:
    """What calls came to; `waits_s` of those that were answered."""

    waits_s: list[float] = field(default_factory=list)
    refused: int = 0
    late: int = 0
    left: int = 0

    @property
    def calls(self) -> int:
        """All of them."""
        return len(self.waits_s) + self.refused + self.late + self.left

    @property
    def refused_share(self) -> float:
        """Of the calls; 0 without any."""
        return self.refused / self.calls if self.calls else 0.0

    def wait_s(self, quantile: float) -> float:
        """Return how long an answer took at most, for this share of them; NaN without any."""
        if not self.waits_s:
            return math.nan
        ordered = sorted(self.waits_s)
        return ordered[min(int(quantile * len(ordered)), len(ordered) - 1)]


class Triton:
    """Clips in Triton at once: each is done at the rate that its company leaves it, all at the same one.

    So it is enough to count how far a clip would be that had been there from the beginning.
    """

    def __init__(self, env: simpy.Environment, share: float) -> None:
        self._env, self._share = env, share
        self._ends: dict[simpy.Event, float] = {}
        """Of each clip, how far such a clip would be when this one is done."""
        self._far_s = self._at = 0.0
        self._changed = env.event()
        env.process(self._run())

    def begin(self, work_s: float) -> simpy.Event:
        """Take a clip that alone would take so long; return what happens when it is done."""
        self._advance()
        done = self._env.event()
        self._ends[done] = self._far_s + work_s
        self._wake()
        return done

    def shorten(self, done: simpy.Event, work_s: float) -> None:
        """Leave at most so much to be done of a clip that is in it."""
        self._advance()
        self._ends[done] = min(self._ends[done], self._far_s + work_s)
        self._wake()

    @property
    def _slowness(self) -> float:
        return 1 + self._share * (len(self._ends) - 1)

    def _wake(self) -> None:
        self._changed.succeed()
        self._changed = self._env.event()

    def _advance(self) -> None:
        if self._ends:
            self._far_s += (self._env.now - self._at) / self._slowness
        self._at = self._env.now

    def _run(self) -> Steps:
        while True:
            changed = self._changed
            if not self._ends:
                yield changed
                continue
            soonest = min(self._ends, key=self._ends.__getitem__)
            yield self._env.timeout(max(self._ends[soonest] - self._far_s, 0.0) * self._slowness) | changed
            if not changed.triggered:
                self._advance()
                del self._ends[soonest]
                soonest.succeed()


class Server:
    """A door and what is behind it."""

    def __init__(self, env: simpy.Environment, cost: Point, bounds: Bounds, random: Random) -> None:
        self.env, self._cost, self._random = env, cost, random
        self.admission = Admission(bounds, clock=lambda: env.now)
        self._turns = simpy.Resource(env, bounds.in_flight)
        self._triton = Triton(env, cost.share)

    def call(self, manners: Manners, tally: Tally) -> Steps:
        """Ask once, as `door.gate` answers: refused at once, refused when it is its turn too late, or answered."""
        began = self.env.now
        leaves_s = self._leaves_s(manners)

        def remaining_s() -> float | None:
            return None if manners.deadline_s is None else began + manners.deadline_s - self.env.now

        try:
            self.admission.check(remaining_s())
            with self.admission.place() as place, self._turns.request() as turn:
                gone = self._gone(leaves_s)
                yield turn | gone
                if not turn.triggered:
                    self._count_gone(manners, leaves_s, tally)
                    return
                stay = place.begin(remaining_s())
                yield from self._answered(stay, gone, began, manners, leaves_s, tally)
        except Refusal:
            tally.refused += 1

    def _answered(
        self, stay: Any, gone: simpy.Event, began: float, manners: Manners, leaves_s: float, tally: Tally
    ) -> Steps:
        """Do the clip; one whose caller has left goes on for a little, and nobody has its answer."""
        done = self._triton.begin(self._work_s())
        yield done | gone
        if done.triggered:
            tally.waits_s.append(self.env.now - began)
        else:
            self._count_gone(manners, leaves_s, tally)
            self._triton.shorten(done, LEFT_SHARE * self._cost.lone_s)
            yield done
        stay.answered = True
        self.admission.end(stay)

    def _leaves_s(self, manners: Manners) -> float:
        """Return after how long this caller goes, whatever comes first."""
        deadline_s = math.inf if manners.deadline_s is None else manners.deadline_s
        if self._random.random() < manners.vanishing:
            return min(self._random.uniform(0, manners.vanish_after_s), deadline_s)
        return deadline_s

    def _gone(self, seconds: float) -> simpy.Event:
        return self.env.event() if math.isinf(seconds) else self.env.timeout(seconds)

    def _count_gone(self, manners: Manners, leaves_s: float, tally: Tally) -> None:
        if leaves_s == manners.deadline_s:
            tally.late += 1
        else:
            tally.left += 1

    def _work_s(self) -> float:
        """Return how long this clip takes alone: log-normal, with the mean and the spread that were measured."""
        variance = math.log(1 + self._cost.spread**2)
        return self._random.lognormvariate(math.log(self._cost.lone_s) - variance / 2, math.sqrt(variance))


def arrivals(server: Server, a_second: float, seconds: float, manners: Manners, tally: Tally, random: Random) -> Steps:
    """Let callers come at random, so many a second on average (Poisson), and none of them twice."""
    end_s = server.env.now + seconds
    while True:
        yield server.env.timeout(random.expovariate(a_second))
        if server.env.now >= end_s:
            return
        server.env.process(server.call(manners, tally))


def learn(server: Server, clips: int = 60) -> Steps:
    """Let as many callers as are let in take turns for so many clips together: then the door knows what they cost."""
    in_flight = server.admission.bounds.in_flight
    callers = [server.env.process(_turns(server, max(clips // in_flight, 3))) for _ in range(in_flight)]
    yield simpy.AllOf(server.env, callers)


def _turns(server: Server, clips: int) -> Steps:
    for _ in range(clips):
        yield server.env.process(server.call(Manners(), Tally()))


def open_loop(cost: Point, bounds: Bounds, a_second: float, seconds: float, manners: Manners, seed: int = 0) -> Tally:
    """Return what becomes of callers who come at random to one server that has learned what clips cost."""
    env, tally, random = simpy.Environment(), Tally(), Random(seed)
    server = Server(env, cost, bounds, random)

    def everything() -> Steps:
        yield env.process(learn(server))
        yield env.process(arrivals(server, a_second, seconds, manners, tally, random))

    env.process(everything())
    env.run()
    return tally
