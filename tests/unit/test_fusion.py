"""Evidence, fusion, timeline and rationale, without a server."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych import evidence
from triptych.evidence import Evidence, gather
from triptych.fusion import fuse, softmax, timeline
from triptych.rationale import ENGLISH, RUSSIAN, explain
from triptych.status import OK, Status
from triptych_client.contract import CHANNELS, EMOTIONS

ABSENT = Evidence(Status("absent", "not there"))
HAPPY, SAD = EMOTIONS.index("happiness"), EMOTIONS.index("sadness")


def channel(logits: list[list[float]], spans: list[list[float]] | None = None) -> Evidence:
    rows = np.array(logits, np.float32)
    times = np.array(spans or [[0, 1]] * len(rows), np.float32)
    return gather(OK, times, rows, np.ones(len(rows), np.float32), "nothing")


def says(emotion: int, strength: float = 3.0) -> Evidence:
    return channel([[strength * (i == emotion) for i in range(7)]])


def clip(**channels: Evidence) -> dict[str, Evidence]:
    return {name: channels.get(name, ABSENT) for name in CHANNELS}


logits = st.lists(st.lists(st.floats(-20, 20, width=32), min_size=7, max_size=7), min_size=1, max_size=5)
some_channels = st.dictionaries(st.sampled_from(CHANNELS), logits)


@given(some_channels)
def test_contributions_sum_to_the_logits_and_probabilities_to_one(rows):
    fused = fuse(clip(**{name: channel(value) for name, value in rows.items()}))
    np.testing.assert_allclose(fused.contributions.sum(axis=0), fused.logits, atol=1e-5)
    np.testing.assert_allclose(fused.probabilities.sum(), 1, atol=1e-5)
    np.testing.assert_allclose(fused.weights.sum(), 1 if rows else 0, atol=1e-6)
    assert not fused.contributions[[name not in rows for name in CHANNELS]].any()


@given(some_channels)
def test_a_rationale_names_only_channels_that_are_there(rows):
    fused = fuse(clip(**{name: channel(value) for name, value in rows.items()}))
    for phrases in (ENGLISH, RUSSIAN):
        said = explain(fused, phrases).lower()
        for name, phrase in zip(CHANNELS, phrases.channels):
            assert name in rows or phrase not in said


def test_one_channel_alone_is_answered_as_it_stands():
    fused = fuse(clip(voice=says(SAD)))
    np.testing.assert_allclose(fused.probabilities, softmax(np.eye(7)[SAD] * 3), atol=1e-6)


def test_no_channel_gives_equal_probabilities_and_abstains():
    fused = fuse(clip())
    np.testing.assert_allclose(fused.probabilities, 1 / 7, atol=1e-6)
    assert fused.abstained
    assert not fused.conflict
    assert explain(fused, ENGLISH) == "No channel gave evidence."


def test_sure_channels_that_disagree_are_in_conflict():
    assert fuse(clip(face=says(HAPPY), words=says(SAD))).conflict
    assert not fuse(clip(face=says(HAPPY), words=says(HAPPY))).conflict


def test_a_channel_that_is_less_sure_of_the_same_is_no_conflict():
    assert not fuse(clip(face=says(HAPPY, 6), sound=says(HAPPY, 0.2), words=says(HAPPY, 5))).conflict


def test_the_rationale_says_who_speaks_for_and_who_against():
    fused = fuse(clip(face=says(SAD, 5), words=says(HAPPY, 2)))
    assert explain(fused, ENGLISH).startswith("Sadness (")
    assert "mostly from the face." in explain(fused, ENGLISH)
    assert "The words alone would say happiness" in explain(fused, ENGLISH)
    assert "Отдельно слова: радость" in explain(fused, RUSSIAN)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_fail_the_channel_and_no_other(number):
    broken = channel([[number] * 7])
    assert broken.status.state == "failed"
    fused = fuse(clip(face=broken, words=says(HAPPY)))
    assert fused.probabilities.argmax() == HAPPY


def test_one_bad_row_is_left_out():
    mixed = channel([[np.nan] * 7, [5.0 * (i == SAD) for i in range(7)]])
    assert mixed.ok
    assert mixed.summary().argmax() == SAD


def test_the_timeline_holds_what_happened_in_each_window():
    face = channel(
        [[5.0 * (i == SAD) for i in range(7)], [5.0 * (i == HAPPY) for i in range(7)]], [[0.5, 0.5], [9.0, 9.0]]
    )
    windows = timeline(clip(face=face), 10.0)
    assert windows.spans[0].tolist() == [0, 2]
    assert windows.spans[-1].tolist() == [8, 10]
    assert windows.probabilities[0].argmax() == SAD
    assert windows.probabilities[-1].argmax() == HAPPY
    assert np.isnan(windows.probabilities[4]).all()


@pytest.mark.parametrize(("duration_s", "count"), [(0.04, 1), (2.0, 1), (2.5, 2), (20.0, 19), (60.0, 59)])
def test_the_timeline_ends_with_the_clip(duration_s, count):
    windows = timeline(clip(), duration_s)
    assert len(windows.spans) == count
    assert windows.spans[-1, 1] == pytest.approx(duration_s)


def test_an_utterance_counts_by_the_part_that_is_inside_the_window():
    words = channel(
        [[5.0 * (i == SAD) for i in range(7)], [5.0 * (i == HAPPY) for i in range(7)]], [[0, 3.9], [3.9, 9]]
    )
    inside = words.within(2.0, 4.0)
    assert inside.summary().argmax() == SAD


def test_faces_of_the_main_person_count_and_others_do_not():
    logits = np.eye(7, dtype=np.float32)[[SAD, SAD, HAPPY]] * 5
    boxes = np.array([[0, 0, 100, 100], [0, 0, 90, 100], [0, 0, 60, 60]], np.float32)
    args = (np.array([0.0, 0.5, 0.5]), np.array([1, 1, 0]), boxes, np.ones(3))
    assert evidence.face(OK, 2, *args, logits).summary().argmax() == SAD
    assert evidence.main_track(np.array([1, 1, 0]), np.array([1.0, 1.0, 1.5])) == 1


@pytest.mark.parametrize(("frames", "reason"), [(1, "1 sampled frame"), (40, "40 sampled frames")])
def test_no_face_is_a_reason_in_words(frames, reason):
    nobody = evidence.face(OK, frames, np.zeros(0), np.zeros(0, int), np.zeros((0, 4)), np.zeros(0), np.zeros((0, 7)))
    assert nobody.status == Status("absent", f"no face found in {reason}")
