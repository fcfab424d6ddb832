"""When in the clip it was, what a window holds at some place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.words.whisper.pieces import Pieces

TWO = Pieces(np.array([[12.0, 15.0], [40.0, 42.0]]))


@pytest.mark.parametrize(
    ("in_window", "in_clip"),
    [
        ((0, 1), (12, 13)),
        ((2, 3), (14, 15)),
        ((3, 4), (40, 41)),
        ((2, 4), (14, 41)),
        ((4, 9), (41, 42)),
        ((5, 9), (42, 42)),
    ],
)
def test_a_place_has_the_time_of_its_piece(in_window: tuple[float, float], in_clip: tuple[float, float]):
    assert TWO.span(*in_window) == pytest.approx(in_clip)


def test_padding_is_no_piece():
    row = np.full((32, 2), np.nan, np.float32)
    assert Pieces.of(row).seconds == 0
    row[0] = 3, 4.5
    assert Pieces.of(row).seconds == 1.5


@given(st.lists(st.floats(0.3, 5), min_size=2, max_size=20), st.floats(0, 60), st.floats(0, 60))
def test_spans_stay_in_order_within_the_pieces(lengths: list[float], first: float, second: float):
    bounds = np.cumsum(lengths)[: 2 * (len(lengths) // 2)].reshape(-1, 2)
    start, end = Pieces(bounds).span(min(first, second), max(first, second))
    assert bounds[0, 0] - 1e-9 <= start <= end <= bounds[-1, 1]
