"""Valence and arousal, as they are derived from probabilities."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from samples import client as samples
from triptych_client.contract import EMOTIONS
from triptych_client.dimensions import SOURCE, TERMS, Dimensions, derived
from triptych_client.results import TimelineWindow


def sure(emotion: str) -> dict[str, float]:
    return {name: float(name == emotion) for name in EMOTIONS}


def test_every_emotion_has_a_place():
    assert tuple(TERMS) == EMOTIONS


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_sure_answer_is_the_rating_of_its_term(emotion: str):
    assert derived(sure(emotion)) == Dimensions(*TERMS[emotion], SOURCE)


def test_an_answer_between_two_is_between_their_ratings():
    half = {**sure("happiness"), "happiness": 0.5, "sadness": 0.5}
    assert derived(half) == Dimensions(0.09, 0.12)


@given(st.lists(st.floats(0, 1), min_size=7, max_size=7))
def test_they_stay_on_their_scales(shares: list[float]):
    found = derived(dict(zip(EMOTIONS, shares)))
    assert found is not None
    assert -1 <= found.valence <= 1
    assert -1 <= found.arousal <= 1


def test_no_evidence_has_no_place():
    assert derived(None) is None


def test_answers_and_windows_carry_them_and_say_where_they_are_from():
    answer = samples.analysis()
    assert answer.emotion.dimensions == derived(answer.emotion.probabilities)
    assert answer.to_dict()["timeline"][2]["dimensions"]["derived_by"] == SOURCE
    assert answer.timeline[3].dimensions is None


def test_whoever_makes_a_window_need_not_derive_them():
    assert TimelineWindow(0, 2, sure("anger"), {}).dimensions == derived(sure("anger"))
