"""The answer over time, and its consistency with the clip's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import fusion as samples
from samples.fusion import HAPPY, POOL, SAD, channel, clip, says, towards
from triptych.answer.fusion import fuse
from triptych.answer.parameters import centred
from triptych.answer.timeline import expressed, fuse_within, smooth, timeline, windows


def test_the_timeline_holds_what_happened_in_each_window():
    face = channel([towards(SAD, 5), towards(HAPPY, 5)], [[0.5, 0.5], [9.0, 9.0]])
    over_time = timeline(clip(face=face), POOL, windows(10.0))
    assert over_time.spans[0].tolist() == [0, 2]
    assert over_time.spans[-1].tolist() == [8, 10]
    assert over_time.probabilities[0].argmax() == SAD
    assert over_time.probabilities[-1].argmax() == HAPPY
    assert np.isnan(over_time.probabilities[4]).all()
    assert np.isnan(over_time.channels[:, 1:]).all()


@pytest.mark.parametrize(("duration_s", "count"), [(0.0, 1), (0.04, 1), (2.0, 1), (2.5, 2), (20.0, 19), (60.0, 59)])
def test_the_timeline_ends_with_the_clip(duration_s, count):
    spans = windows(duration_s)
    assert len(spans) == count
    assert spans[-1, 1] == pytest.approx(duration_s)


@samples.relaxed
@given(samples.clips, samples.parameters)
def test_one_window_is_the_clip(evidence, parameters):
    fused = fuse(evidence, parameters)
    over_time = timeline(evidence, parameters, windows(1.5))
    if fused.present.any():
        np.testing.assert_allclose(over_time.probabilities[0], fused.probabilities, atol=1e-9)
        np.testing.assert_allclose(over_time.channels[0], fused.alone, atol=1e-6)
    else:
        assert np.isnan(over_time.probabilities).all()


@samples.relaxed
@given(samples.clips, st.floats(0.1, 12))
def test_the_windows_hold_all_evidence_of_the_clip_and_no_other(evidence, duration_s):
    spans = windows(duration_s)
    starts, ends = [-np.inf, *spans[1:, 0]], [*spans[:-1, 1], np.inf]
    for part in evidence.values():
        seen = [part.within(start, end).rows for start, end in zip(starts, ends)]
        assert set(np.concatenate(seen)) == set(part.rows)


@samples.relaxed
@given(samples.clips, st.integers(0, 6))
def test_what_leads_in_every_row_leads_in_every_window_and_in_the_clip(evidence, best):
    evidence = {
        name: replace(part, logits=centred(part.logits + (50 + np.abs(part.logits).sum()) * np.eye(7)[best]))
        for name, part in evidence.items()
    }
    over_time = timeline(evidence, POOL, windows(10.0))
    known = over_time.probabilities[np.isfinite(over_time.probabilities[:, 0])]
    assert (known.argmax(axis=1) == best).all()
    fused = fuse(evidence, POOL)
    assert fused.probabilities.argmax() == best or not fused.present.any()


def test_smoothing_moves_a_window_towards_its_neighbours():
    logits = np.zeros((5, 7))
    logits[2, SAD] = 4
    smoothed = smooth(logits)[:, SAD]
    np.testing.assert_allclose(smoothed, [0, 1, 2, 1, 0])


def test_smoothing_leaves_out_windows_without_evidence():
    logits = np.array([towards(SAD), [np.nan] * 7, towards(HAPPY)])
    smoothed = smooth(logits)
    assert np.isnan(smoothed[1]).all()
    np.testing.assert_allclose(smoothed[[0, 2]], logits[[0, 2]])


@samples.relaxed
@given(st.lists(st.lists(st.floats(-20, 20), min_size=7, max_size=7), min_size=1, max_size=12))
def test_smoothing_stays_within_what_there_was(rows):
    logits = np.array(rows)
    smoothed = smooth(logits)
    assert (smoothed.max(axis=0) <= logits.max(axis=0) + 1e-9).all()
    assert (smoothed.min(axis=0) >= logits.min(axis=0) - 1e-9).all()


def test_an_utterance_is_answered_by_all_channels_meanwhile():
    face = channel([towards(HAPPY, 9), towards(SAD, 9)], [[1.0, 1.0], [5.0, 5.0]])
    words = channel([towards(SAD, 1), towards(SAD, 1)], [[0, 2], [4, 6]])
    answers = expressed(clip(face=face, words=words), POOL, np.array([[0, 2], [4, 6], [8, 8]], float))
    assert answers[0].argmax() == HAPPY
    assert answers[1].argmax() == SAD
    assert np.isnan(answers[2]).all()


def test_a_clip_of_a_minute_has_an_answer_for_every_second():
    moments = np.arange(0, 60, 0.5)
    face = channel([towards(SAD)] * len(moments), np.stack([moments, moments], axis=1))
    over_time = timeline(clip(face=face, sound=says(HAPPY)), POOL, windows(60.0))
    assert np.isfinite(over_time.probabilities).all()
    assert len(fuse_within(clip(face=face), POOL, windows(60.0))) == 59
