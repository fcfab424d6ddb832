"""A day's clips -> servers, memory and money: as many as hold the promise at the day's peak, found by simulation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from triptych.capacity.costs import Host, Point
from triptych.capacity.simulation import Manners, Tally, open_loop
from triptych.errors import TriptychError
from triptych.serving.door.admission import Bounds

DAY_S = 86_400.0
CALLS = 1000
"""Simulated for each load, in each of SEEDS runs: the 95th percentile then lies within a few percent."""
SEEDS = 2
HALVINGS = 6
"""Of the interval in which the load lies that a server can take: within 2 % of what it answers at most."""


@dataclass(frozen=True)
class Promise:
    """What callers are promised: answers within `p95_s` for 95 of 100, no more than this share refused."""

    p95_s: float
    refused: float = 0.01
    deadline_s: float | None = None


@dataclass(frozen=True)
class Foreseen:
    """What a load of one server comes to."""

    a_second: float
    p95_s: float
    refused: float

    def holds(self, promise: Promise) -> bool:
        """Tell whether a promise is held; without any answer it is not."""
        return self.p95_s <= promise.p95_s and self.refused <= promise.refused


@dataclass(frozen=True)
class Plan:
    """How many servers of a host hold a promise for so many clips a second at the peak."""

    host: Host
    cost: Point
    bounds: Bounds
    peak_a_second: float
    most: float
    """Clips that a server answers in a second at most, when as many as may be are in it."""
    load: Foreseen
    """The largest load of a server that holds the promise."""
    servers: int

    @property
    def memory_gib(self) -> float:
        """Of all servers."""
        return self.servers * self.host.memory_gib

    def money_a_day(self, price_an_hour: float) -> float:
        """Return what the servers cost when all of them run all day."""
        return self.servers * 24 * price_an_hour


def foresee(cost: Point, bounds: Bounds, a_second: float, promise: Promise) -> Foreseen:
    """Return what a load comes to, as the mean of several runs."""
    manners = Manners(promise.deadline_s)
    seconds = CALLS / a_second
    tallies = [open_loop(cost, bounds, a_second, seconds, manners, seed) for seed in range(SEEDS)]
    return Foreseen(a_second, _mean_wait_s(tallies), fmean(tally.refused_share for tally in tallies))


def plan(host: Host, length_s: float, bounds: Bounds, peak_a_second: float, promise: Promise, spares: int) -> Plan:
    """Return how many servers are needed, `spares` among them; TriptychError for a promise that one clip breaks.

    Calls are dealt to the servers at random, which is no better than the turns that clients take.
    """
    cost = host.at(length_s)
    most = cost.clips_a_second(bounds.in_flight)
    load = _largest(cost, bounds, most, promise)
    if load is None:
        raise TriptychError(
            f"no server of {host.name} answers 95 of 100 clips of {length_s:g} s within {promise.p95_s:g} s: one alone "
            f"takes {cost.lone_s:.2f} s on average. Promise more time, or take a faster host"
        )
    return Plan(host, cost, bounds, peak_a_second, most, load, math.ceil(peak_a_second / load.a_second) + spares)


def _largest(cost: Point, bounds: Bounds, most: float, promise: Promise) -> Foreseen | None:
    """Return the largest load that holds the promise; None where not even a fiftieth of what is possible does."""
    low, high = most / 50, most
    found = foresee(cost, bounds, low, promise)
    if not found.holds(promise):
        return None
    for _ in range(HALVINGS):
        middle = foresee(cost, bounds, (low + high) / 2, promise)
        if middle.holds(promise):
            low, found = middle.a_second, middle
        else:
            high = middle.a_second
    return found


def _mean_wait_s(tallies: list[Tally]) -> float:
    waits = [tally.wait_s(0.95) for tally in tallies]
    return math.inf if any(map(math.isnan, waits)) else fmean(waits)
