"""Admission: how many clips may be inside, how many may wait, and who is refused at once, with a hint when to retry.

Whoever cannot be answered in time is not let in: work on a clip whose caller will have left is lost for all others. The
time that a clip takes is measured from those that were answered, see `pace`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from grpc import StatusCode

from triptych.serving.door.pace import Pace

MARGIN = 1.2
"""Clips differ: whoever is let in would be answered in time even if all were so much slower than the mean."""

SOON_S = 0.5
"""The hint when to try again, as long as nothing was measured."""

CROWD_S = 5.0
"""Those who were refused of late come again: each is asked to leave time for all of them, but no more than this."""


@dataclass(frozen=True)
class Bounds:
    """What may be inside at once: clips in Triton, and clips that wait."""

    in_flight: int = 3
    waiting: int = 12

    @property
    def clips(self) -> int:
        """How many clips the door holds at most: each of them in memory, up to the largest that is let in."""
        return self.in_flight + self.waiting


class Refusal(Exception):  # noqa: N818  (it is an answer)
    """Why a call is not let in: gRPC's status, a reason for metrics, words for the caller, and when to try again."""

    def __init__(self, status: StatusCode, reason: str, words: str, retry_after_s: float | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.reason = reason
        self.words = words
        self.retry_after_s = retry_after_s


@dataclass(eq=False)
class Stay:
    """One clip's time in Triton. `answered` is set when it got its answer: only those are measured."""

    began: float
    load_before: float
    answered: bool = False


class Admission:
    """Counts who is inside; to be used within one event loop. `clock` tells the seconds of a simulation."""

    def __init__(self, bounds: Bounds, clock: Callable[[], float] | None = None) -> None:
        self.bounds = bounds
        self.waiting = 0
        self.pace = Pace()
        self._now = clock or time.monotonic
        self.answered_at = self._now()
        self._turns = asyncio.Semaphore(bounds.in_flight)
        self._refused: deque[float] = deque(maxlen=4096)
        self._stays: set[Stay] = set()
        self._load, self._load_at = 0.0, self._now()

    @property
    def in_flight(self) -> int:
        """How many clips are in Triton."""
        return len(self._stays)

    @property
    def work_s(self) -> float:
        """Every so many seconds a clip is answered when as many as may be are in Triton; 0 until one was."""
        return self.pace.stay_s(self.bounds.in_flight) / self.bounds.in_flight

    @property
    def oldest_in_flight_s(self) -> float:
        """How long the clip has been in Triton that has been there longest; 0 without any."""
        return self._now() - min(stay.began for stay in self._stays) if self._stays else 0.0

    def check(self, remaining_s: float | None) -> None:
        """Raise Refusal for a clip that would not be answered within `remaining_s` (None: any time).

        Whoever comes to an idle server is let in, whatever was measured.
        """
        ahead = self.waiting + self.in_flight
        if ahead >= self.bounds.clips:
            raise self.refusal("queue", f"{ahead} clips are being worked on or wait already", self.work_s or SOON_S)
        needed_s = MARGIN * self._answer_s(ahead)
        if ahead and remaining_s is not None and needed_s > remaining_s:
            words = f"with {ahead} clips ahead an answer takes about {needed_s:.1f} s, and {remaining_s:.1f} s are left"
            raise self.refusal("deadline", words, max(needed_s - remaining_s, self.work_s))

    def refusal(self, reason: str, words: str, retry_after_s: float) -> Refusal:
        """Return the refusal of a clip for which there is no place; the more were refused of late, the later its hint.

        So a crowd that comes again and again takes little from those who are answered.
        """
        now = self._now()
        self._refused.append(now)
        while self._refused[0] < now - CROWD_S:
            self._refused.popleft()
        crowd_s = min(len(self._refused) * self.work_s, CROWD_S)
        return Refusal(StatusCode.RESOURCE_EXHAUSTED, reason, words, max(retry_after_s, crowd_s))

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Count a clip as waiting, until its turn or the end of the block."""
        place = Place(self)
        try:
            yield place
        finally:
            place.give_up()

    def _answer_s(self, ahead: int) -> float:
        """Return in how many seconds a clip is answered that comes when so many are in Triton or wait."""
        before_its_turn = max(ahead + 1 - self.bounds.in_flight, 0)
        return before_its_turn * self.work_s + self.pace.stay_s(min(ahead + 1, self.bounds.in_flight))

    def _begin(self) -> Stay:
        stay = Stay(self._now(), self._load_now())
        self._stays.add(stay)
        return stay

    def end(self, stay: Stay) -> None:
        """End the stay of a clip, and let the next one in."""
        load, now = self._load_now() - stay.load_before, self._now()
        self._stays.remove(stay)
        self._turns.release()
        if stay.answered:
            self.answered_at = now
            stay_s = now - stay.began
            self.pace.learn(max(load / max(stay_s, 1e-9), 1.0), stay_s)

    def _load_now(self) -> float:
        """Return the sum over time of the clips in Triton, in clip seconds: differences give their mean number."""
        now = self._now()
        self._load += len(self._stays) * (now - self._load_at)
        self._load_at = now
        return self._load


class Place:
    """The place of a clip in the queue."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._waits = True
        admission.waiting += 1

    async def turn(self, remaining: Callable[[], float | None]) -> Stay:
        """Wait until Triton may get one more clip, in order of arrival, and begin its stay; its end is `Admission.end`.

        Refusal when by then too little is left of the caller's time: `remaining()` in seconds, None for any.
        """
        await self._admission._turns.acquire()
        return self.begin(remaining())

    def begin(self, left_s: float | None) -> Stay:
        """Begin the stay of a clip whose turn it is; Refusal when too little is left of its caller's time."""
        self.give_up()
        needed_s = self._admission.pace.stay_s(self._admission.in_flight + 1)
        if left_s is not None and left_s < needed_s:
            self._admission._turns.release()
            words = f"the clip's turn came too late: it takes about {needed_s:.1f} s, and {left_s:.1f} s are left"
            raise self._admission.refusal("deadline", words, self._admission.work_s)
        return self._admission._begin()

    def give_up(self) -> None:
        """Wait no longer."""
        self._admission.waiting -= self._waits
        self._waits = False
