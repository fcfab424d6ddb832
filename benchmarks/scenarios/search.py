"""The largest rate that is still met: a binary search between a rate that is and one that is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Found = TypeVar("Found")


@dataclass(frozen=True)
class Tried(Generic[Found]):
    """A rate that was tried, whether it was met, and what was measured of it."""

    rate: float
    met: bool
    what: Found


def largest(
    attempt: Callable[[float], Tried[Found]], low: float, high: float, steps: int
) -> tuple[float, list[Tried[Found]]]:
    """Return the largest rate between `low` and `high` that is met, to (high - low) / 2**steps, and every try.

    It is 0 when none of those that were tried is met. The bounds themselves are not tried: no rate above `high` is
    worth a try, and none below `low`.
    """
    tried: list[Tried[Found]] = []
    for _ in range(steps):
        tried.append(attempt((low + high) / 2))
        low, high = (tried[-1].rate, high) if tried[-1].met else (low, tried[-1].rate)
    return max((one.rate for one in tried if one.met), default=0.0), tried
