"""The search for the largest rate that is met."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scenarios.search import Tried, largest

LOW, HIGH, STEPS = 0.1, 4.0, 12
STEP = (HIGH - LOW) / 2**STEPS


@given(st.floats(LOW + STEP, HIGH))
def test_it_finds_the_rate_to_the_precision_of_its_steps(limit: float) -> None:
    rate, tried = largest(lambda rate: Tried(rate, rate <= limit, None), LOW, HIGH, STEPS)
    assert len(tried) == STEPS
    assert limit - 1.001 * STEP <= rate <= limit


def test_no_rate_is_met() -> None:
    rate, tried = largest(lambda rate: Tried(rate, False, "too slow"), 1.0, 2.0, 3)
    assert rate == 0.0
    assert [one.rate for one in tried] == [1.5, 1.25, 1.125]
