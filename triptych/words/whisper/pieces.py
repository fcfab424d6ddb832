"""What of a clip a window holds: stretches of sound, one after another, and the clip's time of each moment in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pieces:
    """The stretches of a window: spans [k, 2] in seconds of the clip, in order; none: a window without sound."""

    spans: np.ndarray

    @classmethod
    def of(cls, row: np.ndarray) -> Pieces:
        """Read a row [32, 2] of CHUNK_PIECES."""
        spans = row.astype(np.float64)
        return cls(spans[np.isfinite(spans).all(axis=1)])

    @property
    def lengths(self) -> np.ndarray:
        """Seconds of sound in each."""
        return self.spans[:, 1] - self.spans[:, 0]

    @property
    def seconds(self) -> float:
        """Seconds of sound in the window."""
        return float(self.lengths.sum())

    def span(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Return when in the clip it was, what lies from `start_s` to `end_s` in the window.

        Where two stretches meet, something begins with the second and ends with the first. What lies beyond the sound
        was at its end.
        """
        ends = self.lengths.cumsum()
        first, last = int(np.searchsorted(ends, start_s, "right")), int(np.searchsorted(ends, end_s, "left"))
        return self._at(first, start_s, ends), max(self._at(last, end_s, ends), self._at(first, start_s, ends))

    def _at(self, piece: int, time_s: float, ends: np.ndarray) -> float:
        place = min(piece, len(ends) - 1)
        return float(min(self.spans[place, 1] - (ends[place] - time_s), self.spans[place, 1]))
