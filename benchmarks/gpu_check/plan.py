"""How much is done on a device: on a CPU the whole script runs once through with small numbers."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Numbers of rows that steps are asked with, repeats, numbers of callers, how long they ask, networks alone."""

    batches: tuple[int, ...]
    repeats: int
    callers: tuple[int, ...]
    load_s: float
    stages: tuple[str, ...]
    """Networks of `benchmarks.stages`; none: all."""


PLANS = {
    "cuda": Plan((1, 8, 32), 20, (1, 8, 32), 45.0, ()),
    "cpu": Plan((1, 2), 2, (1, 2), 4.0, ("swinv2",)),
}


class Clock:
    """What is left of the time that the check may take."""

    def __init__(self, minutes: float) -> None:
        self._end_s = time.monotonic() + 60 * minutes

    @property
    def left_s(self) -> float:
        """Seconds that are left; negative when it is over."""
        return self._end_s - time.monotonic()
