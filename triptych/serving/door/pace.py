"""How long a clip stays in Triton, by how many are there with it.

The steps of one clip leave cores idle which those of another use, so that two clips take less than twice as long as
one. How much less is seen only while their number changes; a machine that gets slower does so at every load. So two
numbers are followed apart, each by what the last one did not foresee (least mean squares, Widrow and Hoff 1960).
"""

from __future__ import annotations

import math

SMOOTHING = 0.2
"""Weight of the newest stay in how long a lone clip takes: the last ten count for nine tenths."""
RATE = 0.1
"""How far a stay that was not foreseen moves the share, for each clip more or fewer than usual."""
SURPRISE = 0.25
"""What is less foreseen, in natural logarithms, moves it no further: rather the machine got slower or faster."""
LEAST_SHARE = 0.25
"""Stays differ by their clips too, and that may look as if they were shorter in company."""


class Pace:
    """A stay takes `lone_s` x (1 + `share` x others), of so many other clips in Triton meanwhile, on average."""

    def __init__(self) -> None:
        self.lone_s = 0.0
        self.share = 1.0
        """How much of a lone clip's stay another one takes too: all of it, as if they took turns, until it is known."""
        self._usual_load = 1.0

    def learn(self, load: float, stay_s: float) -> None:
        """Take the stay of a clip that was answered, with so many clips in Triton meanwhile, itself included."""
        if not self.lone_s:
            self.lone_s, self._usual_load = stay_s / self._shape(load), load
            return
        unforeseen = math.log(stay_s / self.stay_s(load))
        surprise = min(max(unforeseen, -SURPRISE), SURPRISE)
        moved = self.share + RATE * surprise * (load - self._usual_load)
        self.share = min(max(moved, LEAST_SHARE), 1.0)
        self.lone_s += SMOOTHING * (stay_s / self._shape(load) - self.lone_s)
        self._usual_load += SMOOTHING * (load - self._usual_load)

    def stay_s(self, clips: float) -> float:
        """Return how long a clip stays when so many are in Triton, itself included; 0 as long as nothing is known."""
        return self.lone_s * self._shape(clips)

    def _shape(self, clips: float) -> float:
        return 1 + self.share * (clips - 1)
