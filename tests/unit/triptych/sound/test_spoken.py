"""Speech cut for the recogniser and for the voice model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.media import audio
from triptych.sound import spoken
from triptych.words.whisper.pieces import Pieces
from triptych_client.contract import CHUNK_PIECES, CHUNK_SAMPLES, SAMPLE_RATE_HZ, VOICE_SAMPLES

NOBODY = np.zeros((0, 2), np.int64)


def samples(*spans: tuple[float, float]) -> np.ndarray:
    return np.round(np.array(spans) * SAMPLE_RATE_HZ).astype(np.int64).reshape(-1, 2)


def clock(seconds: float) -> np.ndarray:
    """Return sound each of whose samples tells its time, in seconds."""
    return (np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ).astype(np.float32)


def test_pauses_are_left_out_and_each_moment_keeps_its_time():
    heard = spoken.chunks(clock(40), samples((12, 14), (14.5, 16), (30, 31)))
    assert heard.pcm.shape == (1, CHUNK_SAMPLES)
    pieces = Pieces.of(heard.pieces[0])
    np.testing.assert_allclose(pieces.spans, [[11.1, 16.9], [29.1, 31.9]], atol=1e-4)
    for place_s in (0.0, 2.4, 5.7, 5.9, 8.0):
        in_clip_s, _ = pieces.span(place_s, place_s)
        assert heard.pcm[0, round(place_s * SAMPLE_RATE_HZ)] == pytest.approx(in_clip_s, abs=1e-3)


def test_short_pauses_stay_as_they_are():
    heard = spoken.chunks(clock(40), samples((12, 14), (15.9, 17)))
    np.testing.assert_allclose(Pieces.of(heard.pieces[0]).spans, [[11.1, 17.9]], atol=1e-4)


def test_before_and_after_the_sound_there_is_silence():
    pcm = 1 + clock(2)
    heard = spoken.chunks(pcm, samples((0.1, 1.9)))
    np.testing.assert_allclose(heard.pieces[0, 0], [-0.8, 2.8], atol=1e-4)
    assert np.isnan(heard.pieces[0, 1:]).all()
    silence = round(0.8 * SAMPLE_RATE_HZ)
    np.testing.assert_array_equal(heard.pcm[0, : len(pcm) + 2 * silence], np.pad(pcm, silence))


@pytest.mark.parametrize("lead_s", [0.5, 3.0, 20.0])
def test_what_is_heard_does_not_depend_on_silence_before_and_after(lead_s: float):
    lead, pcm, speech = round(lead_s * SAMPLE_RATE_HZ), 1 + clock(5), samples((0, 2), (4, 5))
    alone, late = (pcm, speech), (np.pad(pcm, lead), speech + lead)
    np.testing.assert_array_equal(spoken.chunks(*late).pcm, spoken.chunks(*alone).pcm)
    windows, later = spoken.voice_windows(*alone), spoken.voice_windows(*late)
    np.testing.assert_array_equal(later.pcm, windows.pcm)
    np.testing.assert_allclose(later.spans - windows.spans, lead_s, atol=1e-4)


def test_nobody_speaking_is_one_row_of_zeros_without_pieces():
    heard, windows = spoken.chunks(clock(3), NOBODY), spoken.voice_windows(clock(3), NOBODY)
    assert heard.pcm.shape == (1, CHUNK_SAMPLES)
    assert not heard.pcm.any()
    assert np.isnan(heard.pieces).all()
    assert windows.pcm.shape == (1, VOICE_SAMPLES)
    assert windows.spans.tolist() == [[0, 0]]


def test_a_voice_window_has_the_speech_in_its_middle_wherever_it_is():
    for start_s in (5.0, 5.3, 20.0):
        windows = spoken.voice_windows(clock(30), samples((start_s, start_s + 1)))
        np.testing.assert_allclose(windows.spans, [[start_s - 1, start_s + 2]], atol=1e-3)
        assert windows.pcm[0, VOICE_SAMPLES // 2] == pytest.approx(start_s + 0.5, abs=1e-3)


def test_voice_windows_leave_long_pauses_out():
    windows = spoken.voice_windows(clock(30), samples((2, 8), (20, 26)))
    assert not ((windows.spans[:, 0] < 19) & (windows.spans[:, 1] > 9)).any()
    assert windows.spans[:, 1].max() == pytest.approx(26)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0.26, 40), min_size=2, max_size=120))
def test_all_speech_is_in_the_chunks_once(lengths: list[float]):
    bounds = np.cumsum(lengths)[: 2 * (len(lengths) // 2)]
    bounds = bounds[: 2 * (np.searchsorted(bounds, 240) // 2)].reshape(-1, 2)
    speech, pcm = samples(*bounds.tolist()), np.ones(240 * SAMPLE_RATE_HZ, np.float32)
    heard = spoken.chunks(pcm, speech)
    assert 1 <= len(heard.pcm) <= audio.MAX_CHUNKS
    held = [Pieces.of(row) for row in heard.pieces]
    assert max(len(one.spans) for one in held) <= CHUNK_PIECES.dims[1]
    for one, chunk in zip(held, heard.pcm, strict=True):
        in_clip_s = np.diff(np.clip(one.spans, 0, 240)).sum()
        assert in_clip_s * SAMPLE_RATE_HZ == pytest.approx(chunk.sum(), abs=32)
    together = np.concatenate([one.spans for one in held])
    assert (together[1:, 0] >= together[:-1, 1] - 1e-4).all()
    for start_s, end_s in bounds.tolist():
        inside = np.minimum(together[:, 1], end_s) - np.maximum(together[:, 0], start_s)
        assert np.maximum(inside, 0).sum() == pytest.approx(end_s - start_s, abs=1e-2)
    assert len(spoken.voice_windows(pcm, speech).pcm) <= audio.MAX_VOICE_WINDOWS
