"""When a load has settled, and how answers are cut into windows."""

from __future__ import annotations

import pytest

from benchmarks.scenarios.stability import Window, cut, stable


def window(a_second: float, mean_s: float) -> Window:
    return Window(4 / a_second, (mean_s,) * 4)


@pytest.mark.parametrize(
    ("rates", "waits", "expected"),
    [
        ((1.0, 1.0, 1.0), (2.0, 2.0, 2.0), True),
        ((0.91, 1.0, 1.09), (2.0, 2.0, 2.0), True),
        ((0.85, 1.0, 1.15), (2.0, 2.0, 2.0), False),
        ((1.0, 1.0, 1.0), (2.0, 2.0, 2.7), False),
        ((5.0, 1.0, 1.0, 1.0), (9.0, 2.0, 2.0, 2.0), True),
        ((1.0, 1.0), (2.0, 2.0), False),
    ],
)
def test_the_last_three_windows_are_within_a_tenth_of_their_mean(rates, waits, expected) -> None:
    assert stable([window(*pair) for pair in zip(rates, waits)]) is expected


def test_answers_are_cut_into_full_windows_each_from_the_end_of_the_one_before() -> None:
    ends = [(101.0, 1.0), (103.0, 2.0), (104.0, 3.0), (108.0, 4.0), (109.0, 5.0)]
    first, second = cut(ends, began_s=100.0, count=2)
    assert (first.seconds, first.waits_s) == (3.0, (1.0, 2.0))
    assert (second.seconds, second.waits_s) == (5.0, (3.0, 4.0))
    assert (first.a_second, second.mean_s) == (pytest.approx(2 / 3), 3.5)
