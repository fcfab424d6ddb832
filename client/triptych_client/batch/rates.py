"""How far a job is: clips a second, how many times faster than they play, what failed and why, what is left."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from triptych_client.batch.gathering import Finished

OVER_S = 600.0
"""Speed and time left are those of the last so many seconds, and of none before the first clip: what starts, starts
once."""


@dataclass
class Rates:
    """Counts clips that are whole; `before` of `total` were there when the run began."""

    total: int
    before: int = 0
    failed_before: int = 0
    clock: Callable[[], float] = time.monotonic
    answered: int = 0
    retries: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    _seconds: float = 0.0
    _began_s: float = field(init=False)
    _marks: deque[tuple[float, int, float]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._began_s = self.clock()

    def add(self, clip: Finished) -> None:
        """Count a clip."""
        if clip.analysis is None:
            self.failures[clip.kind] += 1
        else:
            self.answered += 1
        self.retries += len(clip.retries)
        self._seconds += clip.seconds
        now = self.clock()
        self._marks.append((now, self.done, self._seconds))
        while len(self._marks) > 2 and self._marks[1][0] < now - OVER_S:
            self._marks.popleft()

    @property
    def done(self) -> int:
        """Clips that this run has done with."""
        return self.answered + self.failures.total()

    @property
    def clips_a_second(self) -> float:
        """Over the last OVER_S; 0 until two clips were done."""
        return self._a_second(1)

    @property
    def real_time_factor(self) -> float:
        """Seconds of clips that are answered in a second, over the same time."""
        return self._a_second(2)

    def _a_second(self, column: int) -> float:
        if not self._marks or self._marks[-1][0] == self._marks[0][0]:
            return 0.0
        first, last = self._marks[0], self._marks[-1]
        return (last[column] - first[column]) / (last[0] - first[0])

    @property
    def left_s(self) -> float | None:
        """How long the rest takes at this speed; None until it is known."""
        rate = self.clips_a_second
        return (self.total - self.before - self.done) / rate if rate else None

    def line(self) -> str:
        """Return it in one line."""
        said = [f"{self.before + self.done:,} of {self.total:,} clips"]
        if self.clips_a_second:
            said.append(f"{self.clips_a_second:.2f} clips/s")
            said.append(f"{self.real_time_factor:.1f} x real time")
        if self.failures:
            said.append(f"{self.failures.total():,} failed ({_counted(self.failures)})")
        if self.retries:
            said.append(f"{self.retries:,} tried again")
        if self.left_s is not None:
            said.append(f"{timedelta(seconds=round(self.left_s))} left")
        return ", ".join(said)

    def summary(self) -> str:
        """Return how the run ended in one line."""
        took = timedelta(seconds=round(self.clock() - self._began_s))
        said = [f"{self.answered:,} answered", f"{self.before:,} were there before", f"took {took}"]
        if self.failures or self.failed_before:
            said.append(f"{self.failures.total() + self.failed_before:,} have no answer: see dead_letters/")
        if self.failures:
            said.append(_counted(self.failures))
        return ", ".join(said)


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(f"{kind} {count:,}" for kind, count in kinds.most_common())
