"""What can become of an input, and which of that somebody has to look at."""

from __future__ import annotations

import math
from dataclasses import dataclass

ANSWERED, REFUSED, ENDED, RAISED, DIED, OVER_TIME, OVER_MEMORY = KINDS = (
    "answered",
    "refused in words",
    "decoder ended, in words",
    "raised another error",
    "died",
    "over time",
    "over memory",
)
FINDINGS = frozenset({RAISED, DIED, OVER_TIME, OVER_MEMORY})


@dataclass(frozen=True)
class Outcome:
    """What became of an input: a kind of KINDS, its words, and what it cost.

    `stage` is the step that it got to. `peak_mib` is how much memory the process that examined it added at most; NaN
    when that died.
    """

    kind: str
    words: str
    stage: str
    seconds: float
    peak_mib: float = math.nan

    @property
    def is_finding(self) -> bool:
        """Whether somebody has to look at it."""
        return self.kind in FINDINGS
