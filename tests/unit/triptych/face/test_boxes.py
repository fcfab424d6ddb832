"""Pure functions on boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from triptych.face import boxes

SOME_BOXES = npst.arrays(np.float64, st.tuples(st.integers(0, 6), st.just(4)), elements=st.floats(-50, 700))


def test_overlap_of_known_boxes():
    one, other = np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [0, 0, 2, 2], [2, 2, 4, 4]])
    assert boxes.iou(one, other)[0] == pytest.approx([1 / 3, 1, 0])


@given(SOME_BOXES, SOME_BOXES)
def test_overlap_is_symmetric_and_between_0_and_1(one: np.ndarray, other: np.ndarray):
    overlap = boxes.iou(one, other)
    assert overlap.shape == (len(one), len(other))
    assert ((overlap >= 0) & (overlap <= 1 + 1e-9)).all()
    assert np.allclose(overlap, boxes.iou(other, one).T)


@given(SOME_BOXES)
def test_boxes_are_scaled_into_the_picture(some: np.ndarray):
    scaled = boxes.scaled(some, (640, 360), (1920, 1080))
    assert ((scaled >= 0) & (scaled <= [1920, 1080, 1920, 1080])).all()
    inside = boxes.scaled(np.array([[10, 20, 30, 40]]), (640, 360), (1920, 720))
    assert inside.tolist() == [[30, 40, 90, 80]]


def test_a_box_inside_out_has_no_area():
    assert boxes.areas(np.array([[5, 5, 1, 9], [0, 0, 2, 3]])).tolist() == [0, 6]
    assert boxes.centres(np.array([[0, 0, 2, 4]])).tolist() == [[1, 2]]
