"""Where a face is between the moments at which the server looked, and what must be covered to hide it."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from samples.client import SAD
from triptych_client.contract import EMOTIONS
from triptych_client.picture.paths import LONGEST_GAP_S, Box, Faces
from triptych_client.results import Face


def face(time_s: float, x: float, track: int = 0) -> Face:
    return Face(time_s, track, (x, 10, x + 20, 30), 1.0, dict(zip(EMOTIONS, SAD)))


MOVING = Faces([face(1.0, 100), face(1.5, 110), face(2.0, 120)])


@pytest.mark.parametrize(("time_s", "x"), [(1.0, 100), (1.25, 105), (1.5, 110), (1.9, 118), (2.2, 120), (0.8, 100)])
def test_a_face_moves_evenly_between_moments(time_s: float, x: float):
    assert MOVING.at(time_s)[0][0] == pytest.approx(x)


@pytest.mark.parametrize("time_s", [0.0, 0.7, 2.3, 9.0])
def test_nobody_is_shown_before_and_after(time_s: float):
    assert MOVING.at(time_s) == {}


def test_who_is_hidden_is_hidden_for_a_step_more():
    assert len(MOVING.possible(2.4)) == len(MOVING.possible(0.6)) == 1
    assert MOVING.possible(3.0) == []


def test_a_jump_is_no_movement():
    jumping = Faces([face(0.0, 0), face(0.5, 200), face(1.0, 200)])
    assert jumping.at(0.2)[0][0] == 0
    assert jumping.at(0.3)[0][0] == 200
    assert [box[0] for box in jumping.possible(0.2)] == [0, 200], "it could be at either place"


def test_a_long_gap_is_an_absence():
    gone = Faces([face(0.0, 0), face(0.5, 0), face(0.5 + LONGEST_GAP_S + 0.1, 0), face(3.1, 0)])
    assert gone.at(1.5) == {}
    assert gone.possible(1.6) == []


def test_people_are_told_apart():
    two = Faces([face(0.0, 0), face(0.0, 100, track=3), face(0.5, 10), face(0.5, 100, track=3)])
    assert {track: box[0] for track, box in two.at(0.25).items()} == {0: 5, 3: 100}


def test_an_answer_without_faces_has_none():
    assert Faces([]).at(1.0) == {}
    assert Faces([]).possible(1.0) == []


@given(st.floats(1.0, 2.0))
def test_what_is_hidden_holds_what_is_shown(time_s: float):
    shown = MOVING.at(time_s)[0]
    assert any(holds(hidden, shown) for hidden in MOVING.possible(time_s))


def holds(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]
