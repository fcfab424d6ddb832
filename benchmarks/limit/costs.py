"""Pure costs of the steps, and what follows from them: the limit of a machine, and the longest way of one clip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from triptych.serving.wiring import Node


@dataclass(frozen=True)
class Cost:
    """A step measured in one way.

    `clips` are computed together, on `threads` threads, by `at_once` processes side by side; `run_s` is how long one
    such run takes.
    """

    step: str
    threads: int
    clips: int
    at_once: int
    run_s: float

    @property
    def machine_s(self) -> float:
        """How long a clip keeps the whole machine busy with this step."""
        return self.run_s / (self.clips * self.at_once)


@dataclass(frozen=True)
class Limit:
    """Of each step the best cost; the way through the graph that takes longest, and how long it takes a clip alone."""

    best: dict[str, Cost]
    path: tuple[str, ...]
    path_s: float

    @property
    def work_s(self) -> float:
        """How long a clip keeps the machine busy, if every step is computed in its best way."""
        return sum(cost.machine_s for cost in self.best.values())

    @property
    def a_second(self) -> float:
        """Clips a second at most."""
        return 1 / self.work_s

    @property
    def least_s(self) -> float:
        """One clip alone takes no shorter than its longest way, nor than all of its work on all cores."""
        return max(self.path_s, self.work_s)


def limit(costs: Iterable[Cost], nodes: Iterable[Node]) -> Limit:
    """Return what follows from costs, of which every step has at least one with a single clip."""
    best: dict[str, Cost] = {}
    alone: dict[str, float] = {}
    for cost in costs:
        if cost.step not in best or cost.machine_s < best[cost.step].machine_s:
            best[cost.step] = cost
        if cost.clips == 1:
            alone[cost.step] = min(cost.run_s, alone.get(cost.step, cost.run_s))
    path, path_s = longest(nodes, alone)
    return Limit(best, path, path_s)


def longest(nodes: Iterable[Node], seconds: Mapping[str, float]) -> tuple[tuple[str, ...], float]:
    """Return the way through a graph, each step after those that feed it, that takes longest, and how long it takes."""
    ways: dict[str, tuple[tuple[str, ...], float]] = {}
    made: dict[str, str] = {}
    for node in nodes:
        name = node.step.name
        before = [ways[made[tensor]] for tensor in node.inputs.values() if tensor in made]
        path, path_s = max(before, key=lambda way: way[1], default=((), 0.0))
        ways[name] = ((*path, name), path_s + seconds[name])
        made.update(dict.fromkeys(node.outputs.values(), name))
    return max(ways.values(), key=lambda way: way[1])
