"""From replies to what a clip costs, and how far off a simulation is."""

from __future__ import annotations

import pytest

from benchmarks.capacity import FEW, Compared, compared, foreseen, point
from benchmarks.load import OK, Reply
from triptych.capacity.costs import Point
from triptych.capacity.simulation import Manners
from triptych.serving.door.admission import Bounds


def replies(*seconds: float, status: str = OK) -> list[Reply]:
    return [Reply(0.0, wait_s, status) for wait_s in seconds]


def test_the_cost_is_that_of_answers():
    lone = [*replies(0.9, 1.1), *replies(99.0, status="UNAVAILABLE")]
    told = point(3.0, lone, replies(*[2.0] * 5))
    assert told == Point(3.0, pytest.approx(1.0), pytest.approx(0.5), pytest.approx(0.1))
    assert told.clips_a_second(Bounds.in_flight) == pytest.approx(1.5)


def test_a_load_is_put_beside_what_was_foreseen():
    simulated = foreseen(Point(1.0, 0.3, 1.0, 0.1), 6.0, 30.0, Manners(20.0))
    assert 0.3 < simulated.foreseen_refused < 0.6
    row = compared(1.8, [*replies(*[5.0] * 100), *replies(*[0.01] * 80, status="RESOURCE_EXHAUSTED")], simulated)
    assert (row.load, row.calls, row.answered, row.p95_s) == (1.8, 180, 100, 5.0)
    assert row.refused == pytest.approx(80 / 180)
    assert row.met is (row.p95_error <= 0.2 and row.refused_error <= 0.2)


def test_few_refusals_are_held_against_the_calls_and_not_against_themselves():
    row = Compared(0.7, 100, 100, 1.0, 1.1, 0.0, 0.9 * FEW)
    assert row.met
    assert not Compared(0.7, 100, 100, 1.0, 1.1, 0.0, 1.1 * FEW).met
    assert not Compared(0.7, 100, 100, 1.0, 1.3, 0.0, 0.0).met
