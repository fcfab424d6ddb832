"""Several servers whose number follows what waits at them, as docker/kubernetes/base/scaling.yaml has it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import simpy

from triptych.capacity.costs import Point
from triptych.capacity.simulation import Manners, Server, Steps, Tally, learn
from triptych.serving.door.admission import Bounds


@dataclass(frozen=True)
class Autoscaling:
    """The rule: so many servers that `waiting` clips wait at each, `step` more at most in each `period_s`.

    It looks every `every_s`; a server that is added answers after `start_s`.
    """

    start_s: float
    waiting: float = 2.0
    step: int = 2
    period_s: float = 60.0
    every_s: float = 15.0

    def wanted(self, servers: int, waiting: int) -> int:
        """Return how many servers there should be, when so many clips wait at all of them together."""
        return max(servers, math.ceil(waiting / self.waiting))


@dataclass(frozen=True)
class Jump:
    """What a jump of the load came to: from the time on until so many servers answer, and the calls meanwhile."""

    servers_before: int
    servers_after: int
    tally: Tally
    settled_s: float
    """When the last server that was added answered; 0: none was."""


class _Fleet:
    def __init__(self, env: simpy.Environment, cost: Point, bounds: Bounds, random: Random) -> None:
        self.env, self._cost, self._bounds, self._random = env, cost, bounds, random
        self.servers: list[Server] = []
        self.asked_for = 0
        self.settled_s = 0.0

    def add(self, after_s: float) -> Steps:
        self.asked_for += 1
        yield self.env.timeout(after_s)
        server = Server(self.env, self._cost, self._bounds, self._random)
        self.servers.append(server)
        self.settled_s = self.env.now

    def scale(self, rule: Autoscaling, most: int) -> Steps:
        """Look, and add: what was asked for and does not answer yet counts as there."""
        added: list[float] = []
        while True:
            yield self.env.timeout(rule.every_s)
            added = [at for at in added if at > self.env.now - rule.period_s]
            waiting = sum(server.admission.waiting for server in self.servers)
            more = min(rule.wanted(self.asked_for, waiting), most) - self.asked_for
            for _ in range(min(more, rule.step - len(added))):
                added.append(self.env.now)
                self.env.process(self.add(rule.start_s))


def jump(
    cost: Point,
    bounds: Bounds,
    rule: Autoscaling,
    *,
    servers: int,
    most: int,
    a_second: float,
    seconds: float,
    manners: Manners,
    seed: int = 0,
) -> Jump:
    """Return what becomes of a load that suddenly comes to a fleet sized for less, until it has `most` servers."""
    env, tally, random = simpy.Environment(), Tally(), Random(seed)
    fleet = _Fleet(env, cost, bounds, random)

    def everything() -> Steps:
        for _ in range(servers):
            yield env.process(fleet.add(0.0))
        yield simpy.AllOf(env, [env.process(learn(server)) for server in fleet.servers])
        began_s = env.now
        fleet.settled_s = began_s
        env.process(fleet.scale(rule, most))
        while env.now < began_s + seconds:
            yield env.timeout(random.expovariate(a_second))
            env.process(random.choice(fleet.servers).call(manners, tally))
        fleet.settled_s -= began_s

    env.run(env.process(everything()))
    return Jump(servers, len(fleet.servers), tally, fleet.settled_s)
