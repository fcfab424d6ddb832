"""The page of the peers: ratios within one run, the least that flatters first."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.measure import table
from benchmarks.peers.answers import TOLERANCE, Agreement
from benchmarks.peers.services import Burst
from benchmarks.publishing import goals

THROUGHPUT_GOAL, RIVAL_GOAL, LATENCY_GOAL = 3.0, 1.3, 0.4
SCRIPT = "sequential PyTorch script"


@dataclass
class Measured:
    """A peer: how its answer agrees with ours, bursts of one caller, and bursts of many, a round each."""

    name: str
    agreement: Agreement
    alone: list[Burst] = field(default_factory=list)
    many: list[Burst] = field(default_factory=list)

    @property
    def waits_s(self) -> list[float]:
        """How long one caller waited, by round: the median."""
        return [statistics.median(burst.waits_s) for burst in self.alone]

    @property
    def rates(self) -> list[float]:
        """Clips a second with many callers, by round; of what computes one clip at a time, with one."""
        return [burst.a_second for burst in self.many or self.alone]


@dataclass(frozen=True)
class Ratio:
    """A ratio, round by round: the one that flatters us least, and the median."""

    worst: float
    median: float


def faster(ours: Measured, theirs: Measured) -> Ratio:
    """Return how many times as many clips a second we answer."""
    ratios = [one / other for one, other in zip(ours.rates, theirs.rates)]
    return Ratio(min(ratios), statistics.median(ratios))


def shorter(ours: Measured, theirs: Measured) -> Ratio:
    """Return how much of their time one clip alone takes us."""
    ratios = [one / other for one, other in zip(ours.waits_s, theirs.waits_s)]
    return Ratio(max(ratios), statistics.median(ratios))


def held(ours: Measured, others: Sequence[Measured]) -> str:
    """Return what is held against a goal; the median decides, the worst round stands beside it."""
    rows: list[tuple[str, str, str, bool | None]] = []
    scripts = [one for one in others if one.name == SCRIPT]
    rivals = [one for one in others if one.name != SCRIPT]
    for script in scripts:
        more, less = faster(ours, script), shorter(ours, script)
        rows.append(
            _row("throughput with many callers, script", more, f"at least {THROUGHPUT_GOAL:g} times", THROUGHPUT_GOAL)
        )
        goal = f"at most {LATENCY_GOAL:g} times"
        rows.append(("one clip alone, script", goal, _said(less), less.median <= LATENCY_GOAL))
    if rivals:
        best = max(rivals, key=lambda one: statistics.median(one.rates))
        what = f"throughput with many callers, best of the servers ({best.name})"
        rows.append(_row(what, faster(ours, best), f"at least {RIVAL_GOAL:g} times", RIVAL_GOAL))
    return goals(rows)


def _row(what: str, ratio: Ratio, goal: str, least: float) -> tuple[str, str, str, bool | None]:
    return (what, goal, _said(ratio), ratio.median >= least)


def _said(ratio: Ratio) -> str:
    return f"{ratio.worst:.2f} in the worst round, {ratio.median:.2f} in the median"


def peers_table(ours: Measured, others: Sequence[Measured], callers: int) -> str:
    """Return a line for each: its agreement, its times, and how we stand to it."""
    rows = []
    for one in (ours, *others):
        more, less = faster(ours, one), shorter(ours, one)
        rows.append(
            (
                one.name,
                f"{one.agreement.difference:.4f}",
                f"{min(one.waits_s):.2f}, {statistics.median(one.waits_s):.2f}",
                f"{max(one.rates):.3f}, {statistics.median(one.rates):.3f}",
                *(
                    ("-", "-")
                    if one is ours
                    else (f"{less.worst:.2f}, {less.median:.2f}", f"{more.worst:.2f}, {more.median:.2f}")
                ),
            )
        )
    header = (
        "",
        "largest difference of a probability",
        "one caller, s: least, median",
        f"{callers} callers, clips a second: most, median",
        "our time of theirs: worst, median",
        "our clips of theirs: worst, median",
    )
    return (
        "The same clip, weights and cores; each answer was compared with ours before anything was timed (class and "
        f"words equal, probabilities within {TOLERANCE:g}). Rounds in turn; ratios are taken round by round. The "
        "script answers one clip at a time, however many ask.\n\n" + table(header, rows)
    )
