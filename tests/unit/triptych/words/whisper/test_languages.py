"""Which language is spoken, from probabilities written here: of English, Russian and Polish."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.words.whisper import languages

EN, RU, PL = np.eye(3) * 0.85 + 0.05
UNSURE = np.array([0.4, 0.35, 0.25])
SURE_EN, SURE_RU = np.array([0.98, 0.01, 0.01]), np.array([0.02, 0.97, 0.01])


@pytest.mark.parametrize(
    ("windows", "seconds", "told"),
    [
        ([EN, RU * 0.6 + UNSURE * 0.4], [30, 1.5], [0, 0]),
        ([UNSURE, RU], [1, 20], [1, 1]),
        ([EN, PL], [30, 12], [0, 2]),
        ([EN, PL], [30, 2], [0, 0]),
        ([UNSURE], [0.5], [0]),
    ],
    ids=["a few words", "the first is short", "two languages", "too little to be sure", "alone"],
)
def test_windows_of_a_clip_are_told_their_language_together(windows: list, seconds: list, told: list):
    assert languages.of_windows(np.array(windows), seconds) == told


def turns(*parts: np.ndarray) -> list[tuple[float, int]]:
    return list(languages.turns(np.arange(len(parts)) * languages.PART_HOP_S, np.array(parts)))


def test_a_language_begins_between_those_parts_that_are_sure():
    assert turns(SURE_EN, SURE_EN, UNSURE, SURE_RU, SURE_RU) == [(0, 0), (6, 1)]
    assert turns(SURE_EN, SURE_RU, SURE_EN) == [(0, 0), (3, 1), (5, 0)]


def test_one_language_has_no_turn_however_unsure_a_part_is():
    assert turns(SURE_EN, UNSURE, RU * 0.8, SURE_EN) == []
    assert turns(UNSURE, UNSURE) == []


@given(st.floats(0, 30))
def test_parts_lie_in_the_sound(seconds: float):
    starts = languages.part_starts(seconds)
    assert (np.diff(starts) == languages.PART_HOP_S).all()
    assert not len(starts) or starts[-1] + languages.PART_S <= seconds + languages.PART_HOP_S / 2
