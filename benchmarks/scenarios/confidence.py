"""How many queries a percentile needs, and how many of them may be late: MLPerf's rule of early stopping.

A percentile holds at a bound when, with a confidence of 99 %, no more than the rest of all queries ever is later. Of n
queries, each late with that probability, at most t are with the probability that the binomial distribution gives: when
that is below 1 %, having seen t late ones proves it. Source: "Early Stopping" in MLCommons' inference rules, and
loadgen/early_stopping.cc, which writes the same by the incomplete beta function.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from scipy.stats import binom

CONFIDENCE = 0.99
SHARES = (0.5, 0.9, 0.95, 0.99, 0.999)
"""The percentiles that are reported where there are queries enough."""
MOST_QUERIES = 1 << 20
NONE = -1


def proven(queries: int, late: int, share: float) -> bool:
    """Tell whether so many queries, of which so many were late, prove that the `share` of all is in time."""
    return bool(binom.cdf(late, queries, 1 - share) <= 1 - CONFIDENCE)


def queries_needed(share: float, late: int = 1) -> int:
    """Return how many queries prove a percentile when so many of them are late."""
    return bisect_left(range(MOST_QUERIES), True, lo=late + 1, key=lambda queries: proven(queries, late, share))


def most_late(queries: int, share: float) -> int:
    """Return how many of so many queries may be late for the percentile to be proven; NONE when even 0 are too many."""
    return bisect_left(range(queries + 1), True, key=lambda late: not proven(queries, late, share)) - 1


def percentile(latencies: Sequence[float], share: float) -> float | None:
    """Return the bound that a percentile keeps with CONFIDENCE; None when the queries are too few to tell.

    LoadGen's estimate: of the sorted latencies the t-th largest, t being how many may be late. One has to be.
    """
    late = most_late(len(latencies), share)
    return sorted(latencies)[-late] if late >= 1 else None
