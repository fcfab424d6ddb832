"""How long the supervision waits: for an answer, between two looks, before it tries again what failed."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Patience:
    """Seconds of patience. The defaults fit two cores, on which a clip of 60 s takes about 30 s."""

    look_s: float = 0.2
    """Between two looks at the processes."""
    canary_s: float = 15.0
    """Without a clip, until a canary is asked; an answered clip says as much."""
    idle_s: float = 10.0
    """How long those who are asked may do nothing, before that means that they hang."""
    late_s: float = 120.0
    """How long an answer may take when they are at work."""
    load_s: float = 60.0
    """How long steps may take to load."""
    steady_s: float = 60.0
    """After how long without a fault the ones before are forgotten."""
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0
    """Pauses before something is tried again: none after the first fault, then these, doubled each time."""


LOOP = 3
"""So many faults of one part, each soon after the last, are called a crash loop."""


@dataclass
class BackOff:
    """Counts the faults of each part, and says how long to wait before it is brought back again."""

    patience: Patience
    _faults: dict[str, tuple[int, float]] = field(default_factory=dict)

    def pause_s(self, part: str, now: float) -> float:
        """Count a fault of a part, and return how long to wait."""
        faults, last = self._faults.get(part, (0, 0.0))
        pause = self._pause_s(faults)
        faults = faults + 1 if faults and now - last <= self.patience.steady_s + pause else 1
        self._faults[part] = (faults, now)
        return self._pause_s(faults)

    def faults(self, part: str) -> int:
        """Return how many faults the part has had, each soon after the one before."""
        return self._faults.get(part, (0, 0.0))[0]

    def _pause_s(self, faults: int) -> float:
        if faults < 2:
            return 0.0
        return min(self.patience.first_pause_s * 2 ** min(faults - 2, 30), self.patience.longest_pause_s)
