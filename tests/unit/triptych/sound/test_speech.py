"""From a detector's probabilities and the tagger's to spans of speech, with numbers written here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.sound import speech
from triptych.sound.speech import FRAME_SAMPLES
from triptych_client.contract import SAMPLE_RATE_HZ

NOT_TOLD = (np.nan, np.nan)


def frames(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ / FRAME_SAMPLES)


def spans(*parts: tuple[float, float], tags: tuple[float, float] = NOT_TOLD) -> list[tuple[float, float]]:
    """Return the spans, in seconds, of parts (seconds, probability) that follow each other."""
    probabilities = np.concatenate([np.full(frames(length_s), probability) for length_s, probability in parts])
    said = np.tile(tags, (len(probabilities), 1))
    found = speech.spans(probabilities, said, len(probabilities) * FRAME_SAMPLES)
    return [(start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ) for start, end in found.tolist()]


def test_speech_lasts_from_its_first_frame_to_its_last():
    ((start_s, end_s),) = spans((12, 0.01), (2, 0.9), (5, 0.01))
    assert (start_s, end_s) == pytest.approx((12, 14), abs=0.033)


def test_what_is_short_is_neither_speech_nor_pause():
    assert spans((1, 0.0), (0.2, 0.9), (1, 0.0)) == []
    assert len(spans((1, 0.9), (0.064, 0.0), (1, 0.9))) == 1
    assert len(spans((1, 0.9), (0.2, 0.0), (1, 0.9))) == 2


def test_speech_goes_on_where_the_detector_hesitates():
    assert len(spans((1, 0.9), (1, 0.4), (1, 0.9))) == 1
    assert spans((3, 0.4)) == []


@pytest.mark.parametrize(
    ("tags", "heard"),
    [(NOT_TOLD, True), ((0.9, 0.1), True), ((0.2, 0.0), True), ((0.5, 0.8), False), ((0.04, 0.0), False)],
    ids=["no tagger", "speech", "babble", "laughter", "nothing of a mouth"],
)
def test_the_tagger_has_a_say(tags: tuple[float, float], heard: bool):
    assert bool(spans((2, 0.95), tags=tags)) is heard


def test_a_shout_is_speech_where_the_tagger_is_sure():
    assert spans((1, 0.0), (2, 0.2), (1, 0.0), tags=(0.97, 0.02))
    assert not spans((1, 0.0), (2, 0.2), (1, 0.0), tags=(0.4, 0.02))


def test_each_stretch_is_judged_by_itself():
    probabilities = np.concatenate([np.full(frames(2), 0.9), np.zeros(frames(2)), np.full(frames(2), 0.9)])
    tags = np.concatenate([np.tile((0.9, 0.0), (frames(3), 1)), np.tile((0.4, 0.9), (frames(3), 1))])
    found = speech.spans(probabilities, tags, len(probabilities) * FRAME_SAMPLES)
    assert found[:, 1].tolist() == [frames(2) * FRAME_SAMPLES]


def test_stretches_have_no_long_pause():
    said = np.array([[0, 1], [1.5, 2], [4, 5]]) * SAMPLE_RATE_HZ
    assert (speech.stretches(said.astype(int)) / SAMPLE_RATE_HZ).tolist() == [[0, 2], [4, 5]]
    assert speech.stretches(np.zeros((0, 2), np.int64)).shape == (0, 2)


def test_a_frame_has_the_mean_of_the_windows_over_it():
    windows, tags = np.array([[0, 1], [0.5, 1.5]]), np.array([[1, 0], [0, 1]], np.float32)
    found = speech.tags_of_frames(frames(2), windows, tags)
    assert found[frames(0.25)].tolist() == [1, 0]
    assert found[frames(0.75)].tolist() == [0.5, 0.5]
    assert found[frames(1.25)].tolist() == [0, 1]
    assert np.isnan(found[frames(1.75)]).all()


@given(st.floats(1e-5, 1))
def test_level_is_taken_away(level: float):
    sound = np.sin(np.arange(SAMPLE_RATE_HZ) / 9).astype(np.float32)
    np.testing.assert_allclose(speech.at_level(level * sound), speech.at_level(sound), atol=1e-5)


def test_digital_silence_stays():
    assert not speech.at_level(np.zeros(100, np.float32)).any()
    assert len(speech.at_level(np.zeros(0, np.float32))) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 3)), max_size=120), st.integers(0, 511))
def test_spans_are_in_order_within_the_sound(numbers: list[tuple[float, float, float]], less: int):
    rows = np.array(numbers).reshape(-1, 3)
    samples = max(len(rows) * FRAME_SAMPLES - less, 0)
    found = speech.spans(rows[:, 0], rows[:, 1:], samples)
    bounds = found.ravel()
    assert (np.diff(bounds) > 0).all()
    assert all(0 <= bound <= samples for bound in bounds.tolist())
