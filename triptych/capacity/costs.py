"""What clips cost a server: measured on this kind of host, or estimated, and said to be so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from triptych.errors import TriptychError

MEASURED = Path(__file__).with_name("cpu.json")
"""What `python -m benchmarks.capacity` measured on two cores."""


@dataclass(frozen=True)
class Point:
    """What a clip of `seconds` costs.

    Alone it takes `lone_s` on average, with a standard deviation of `spread` x that, and in company
    `lone_s` x (1 + `share` x others), as the door sees it (`triptych.serving.door.pace`). Dynamic batching is in the
    share: an execution of rows of n clips takes a + b n, so that another clip adds b of a + b. 1: they take turns.
    """

    seconds: float
    lone_s: float
    share: float
    spread: float

    def clips_a_second(self, in_flight: int) -> float:
        """Return what a server answers with so many clips in it all the time."""
        return in_flight / (self.lone_s * (1 + self.share * (in_flight - 1)))


@dataclass(frozen=True)
class Host:
    """A kind of host, and what clips cost it; `source` says who says so.

    `memory_gib` is what a server takes at most, `start_s` how long it takes until a new one answers, `bound_by` says
    which part of a host is the slowest, where that is known.
    """

    name: str
    source: str
    cores: int
    memory_gib: float
    start_s: float
    points: tuple[Point, ...]
    gpu_gib: float = 0.0
    bound_by: str = ""
    measured: bool = False

    @classmethod
    def read(cls, path: Path) -> Host:
        """Read what was measured; TriptychError for a file that is something else."""
        try:
            return msgspec.convert(json.loads(path.read_text(encoding="utf-8"))["host"], cls)
        except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise TriptychError(
                f"{path} is not what `python -m benchmarks.capacity` writes ({reason}); give such a file to --costs"
            ) from error

    def at(self, seconds: float) -> Point:
        """Return what a clip of so many seconds costs: between the points that are known, or as far as the next one.

        Beyond them as the last two go on, and never less than the nearest: TriptychError without any.
        """
        if not self.points:
            raise TriptychError(f"nothing was measured on {self.name}: python -m benchmarks.capacity")
        return Point(seconds, self._lone_s(seconds), *(self._between(seconds, name) for name in ("share", "spread")))

    @cached_property
    def _ordered(self) -> Sequence[Point]:
        return sorted(self.points, key=lambda point: point.seconds)

    def _between(self, seconds: float, name: str) -> float:
        lengths = [point.seconds for point in self._ordered]
        return float(np.interp(seconds, lengths, [getattr(point, name) for point in self._ordered]))

    def _lone_s(self, seconds: float) -> float:
        *_, last = self._ordered
        if seconds <= last.seconds or len(self._ordered) == 1:
            return self._between(seconds, "lone_s")
        before = self._ordered[-2]
        slope = (last.lone_s - before.lone_s) / (last.seconds - before.seconds)
        return last.lone_s + max(slope, 0.0) * (seconds - last.seconds)
