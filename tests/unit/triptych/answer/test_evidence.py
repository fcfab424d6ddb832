"""What each channel's rows become: weights, reliability, statuses, and numbers that are none."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import fusion as samples
from samples.fusion import HAPPY, POOL, SAD, channel, clip, says, towards
from triptych.answer import evidence
from triptych.answer.evidence import ChannelInput, UtteranceRows
from triptych.answer.fusion import fuse
from triptych.answer.parameters import Calibration
from triptych.answer.status import OK, Status

FACE, SOUND, VOICE, WORDS = (ChannelInput(name, OK) for name in ("face", "sound", "voice", "words"))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e30])
def test_numbers_that_are_not_finite_fail_the_channel_and_no_other(number, caplog):
    with caplog.at_level(logging.WARNING):
        broken = channel([[number] * 7])
    assert broken.status == Status("failed", "not_finite")
    assert "face: 1 of 1 rows have logits that are not finite" in caplog.text
    fused = fuse(clip(face=broken, words=says(HAPPY)), POOL)
    assert fused.probabilities.argmax() == HAPPY
    assert fused.weights.tolist() == [0, 0, 0, 1]


def test_one_bad_row_is_left_out():
    mixed = channel([[np.nan] * 7, towards(SAD)])
    assert mixed.ok
    assert mixed.rows.tolist() == [1]
    assert mixed.summary().argmax() == SAD


@samples.relaxed
@given(st.lists(st.floats(width=32), min_size=7, max_size=7))
def test_no_number_breaks_the_answer(logits):
    fused = fuse(clip(voice=channel([logits])), samples.trained())
    assert np.isfinite(fused.probabilities).all()
    assert fused.probabilities.sum() == pytest.approx(1)


def test_rows_are_calibrated():
    doubled = ChannelInput("voice", OK, Calibration(np.full(7, 2.0), np.zeros(7)))
    rows = doubled.gather(np.array([[0, 1]]), np.array([towards(SAD)]), np.ones(1), np.ones(1), OK)
    assert rows.summary()[SAD] == pytest.approx(2 * channel([towards(SAD)]).summary()[SAD])


def test_an_utterance_counts_by_the_part_that_is_inside_the_window():
    words = channel([towards(SAD, 5), towards(HAPPY, 5)], [[0, 3.9], [3.9, 9]])
    assert words.within(2.0, 4.0).summary().argmax() == SAD


def test_overlapping_utterances_both_count():
    words = channel([towards(SAD, 5), towards(HAPPY, 5)], [[0, 4], [2, 6]])
    assert words.within(2.0, 4.0).rows.tolist() == [0, 1]
    assert words.within(0.0, 2.0).rows.tolist() == [0]


def test_a_face_is_as_reliable_as_it_is_often_seen():
    frames = np.array([0.0, 0.5, 1.0, 1.5, np.nan])
    half = evidence.face(FACE, frames, np.array([0.5, 1.0]), np.ones(2), np.array([towards(SAD)] * 2))
    assert half.reliability.tolist() == [0.5, 0.5]


def test_no_face_is_a_reason_with_the_count_of_frames():
    frames = np.array([0.0, 0.5, np.nan])
    nobody = evidence.face(FACE, frames, np.zeros(0), np.zeros(0), np.zeros((0, 7)))
    assert nobody.status == Status("absent", "no_face", "2")


def test_a_sound_of_one_tag_is_more_reliable_than_a_murmur():
    tags = np.array([[0.9, 0.001, 0.001], [0.3, 0.3, 0.3], [0, 0, 0]])
    heard = evidence.sound(SOUND, np.array([[0, 1], [1, 2], [2, 3]]), tags, np.array([towards(SAD)] * 3))
    assert heard.reliability[0] > 0.9
    assert heard.reliability[1] == pytest.approx(0, abs=1e-6)
    assert np.isfinite(heard.reliability).all()


def test_the_voice_is_heard_where_there_is_speech():
    spans, logits = np.array([[0, 3], [1.5, 4.5], [6, 9]]), np.array([towards(SAD)] * 3)
    heard = evidence.voice(VOICE, spans, np.array([[0.0, 2.0], [1.0, 2.5]]), logits)
    assert heard.rows.tolist() == [0, 1]
    np.testing.assert_allclose(heard.weights, [2.5, 1.0])
    np.testing.assert_allclose(heard.reliability, [2.5 / 3, 1 / 3])
    assert evidence.voice(VOICE, spans, np.zeros((0, 2)), logits).status == Status("absent", "no_speech")


def utterances(languages: list[str], supported: set[str]) -> evidence.Evidence:
    count = len(languages)
    spans = np.array([[i, i + 1] for i in range(count)], float).reshape(-1, 2)
    logits = np.array([towards(SAD)] * count).reshape(-1, 7)
    return evidence.words(WORDS, UtteranceRows(spans, np.full(count, -0.1), languages, logits), supported)


def test_words_in_a_language_that_the_model_does_not_know_do_not_count():
    assert utterances(["en", "de"], {"en", "ru"}).rows.tolist() == [0]
    assert utterances(["en", "de"], set()).rows.tolist() == [0, 1], "a model without a list knows any"
    assert utterances(["de", "fr", "de"], {"en"}).status == Status("absent", "unsupported_language", "de, fr")


def test_an_empty_transcript_is_no_speech():
    assert utterances([], {"en"}).status == Status("absent", "no_speech")


def test_a_log_probability_that_is_no_number_gives_an_utterance_no_weight():
    unsure = UtteranceRows(np.array([[0.0, 1]]), np.array([np.nan]), ["en"], np.array([towards(SAD)]))
    words = evidence.words(WORDS, unsure, set())
    assert not words.ok


@samples.relaxed
@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 5)), max_size=6))
def test_a_union_of_spans_is_in_order_and_without_overlap(parts):
    union = evidence.merged(np.array([[start, start + length] for start, length in parts]).reshape(-1, 2))
    flat = union.ravel()
    assert (np.diff(flat) > 0).all() if len(flat) else not parts
    whole = evidence.overlap(np.array([[-1.0, 40.0]]), union)
    assert whole[0] == pytest.approx(np.diff(union, axis=1).sum())
