"""How many queries a percentile needs: the figures of MLPerf's rules, and what follows from them."""

from __future__ import annotations

import math

import pytest

from benchmarks.scenarios import confidence


@pytest.mark.parametrize(("share", "queries"), [(0.9, 64), (0.95, 130), (0.99, 662), (0.999, 6636)])
def test_the_queries_needed_with_one_late_are_those_of_mlperf(share: float, queries: int) -> None:
    assert confidence.queries_needed(share) == queries


def test_without_a_late_one_the_powers_of_the_share_tell() -> None:
    assert confidence.queries_needed(0.9, late=0) == math.ceil(math.log(0.01) / math.log(0.9))


def test_one_query_less_proves_nothing() -> None:
    assert confidence.proven(64, 1, 0.9)
    assert not confidence.proven(63, 1, 0.9)
    assert not confidence.proven(64, 2, 0.9)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("queries", [1, 43, 44, 64, 700, 5000])
def test_as_many_may_be_late_as_are_proven_and_no_more(queries: int, share: float) -> None:
    late = confidence.most_late(queries, share)
    assert late == confidence.NONE or confidence.proven(queries, late, share)
    assert not confidence.proven(queries, late + 1, share)


def test_a_percentile_is_the_largest_latency_when_one_may_be_late_and_none_when_fewer_were_asked() -> None:
    seconds = [float(number) for number in range(64)]
    assert confidence.percentile(seconds, 0.9) == 63.0
    assert confidence.percentile(seconds[:63], 0.9) is None
    assert confidence.percentile([], 0.5) is None


def test_a_percentile_is_never_below_the_one_that_is_seen() -> None:
    seconds = [number / 1000 for number in range(1000)]
    found = confidence.percentile(seconds, 0.9)
    assert found is not None
    assert 0.9 < found < 0.95
