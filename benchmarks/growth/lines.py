"""A straight line through what was measured: what each step costs more, with its interval, and what is always paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Line:
    """cost = fixed + slope * size; `low` and `high` are the slope's interval of CONFIDENCE."""

    fixed: float
    slope: float
    low: float
    high: float

    def at(self, size: float) -> float:
        """Return the cost of a size."""
        return self.fixed + self.slope * size


def through(sizes: Sequence[float], costs: Sequence[float]) -> Line:
    """Return the least-squares line through at least three points of at least two sizes."""
    line = stats.linregress(np.asarray(sizes, np.float64), np.asarray(costs, np.float64))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(sizes) - 2) * line.stderr)
    return Line(float(line.intercept), float(line.slope), float(line.slope) - half, float(line.slope) + half)
