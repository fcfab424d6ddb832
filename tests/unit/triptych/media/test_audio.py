"""Decoding the sound, and cutting it for the speech, sound and voice models."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import count

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import clips
from triptych.answer.status import Status
from triptych.media import audio
from triptych.media.channels import Sheet, blocks, keep
from triptych_client.contract import CHUNK_SAMPLES, SAMPLE_RATE_HZ, VOICE_SAMPLES


def seconds(count: float) -> int:
    return round(count * SAMPLE_RATE_HZ)


@pytest.mark.parametrize("form", ["mp4", "webm", "matroska", "mpegts"])
def test_sound_keeps_its_pitch_and_level(form: str):
    decoded = audio.decode(clips.make(sound=clips.tone(2.0, hertz=1000, level=0.5), form=form), 60)
    assert decoded.status.state == "ok"
    assert len(decoded.pcm) == pytest.approx(seconds(2), abs=seconds(0.06))
    middle = decoded.pcm[seconds(0.5) : seconds(1.5)]
    assert np.abs(np.fft.rfft(middle)).argmax() == 1000
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


def test_what_is_above_the_new_rate_does_not_come_back_lower():
    both = clips.tone(1.0, hertz=1000, level=0.2) + clips.tone(1.0, hertz=10_000, level=0.5)
    pcm = audio.decode(clips.make(sound=both), 60).pcm[:SAMPLE_RATE_HZ]
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    assert spectrum.argmax() == 1000
    assert spectrum[5990:6010].max() < 0.01 * spectrum.max()


def test_a_late_track_is_placed_at_its_clip_time():
    data = clips.make(clips.greys(30), clips.tone(1.0), sound_start_s=1.5, form="matroska")
    pcm = audio.decode(data, 60).pcm
    onset = np.argmax(np.abs(pcm) > 0.1) / SAMPLE_RATE_HZ
    assert onset == pytest.approx(1.5, abs=0.03)
    assert len(pcm) == pytest.approx(seconds(2.5), abs=seconds(0.06))


def test_a_damaged_stretch_does_not_shift_what_follows():
    whole = clips.make(sound=np.concatenate([clips.tone(2.0, level=0.2), clips.tone(1.0)], axis=1), form="mpegts")
    packets = len(whole) // 188
    broken = bytearray(whole)
    broken[packets // 3 * 188 : packets // 2 * 188] = bytes(188 * (packets // 2 - packets // 3))
    loud = [np.argmax(np.abs(audio.decode(data, 60).pcm) > 0.35) / SAMPLE_RATE_HZ for data in (whole, bytes(broken))]
    assert loud == pytest.approx([2.0, 2.0], abs=0.05)


def test_no_more_is_decoded_than_allowed():
    assert len(audio.decode(clips.make(sound=clips.tone(3.0)), 1.0).pcm) == seconds(1)


@pytest.mark.parametrize(
    ("data", "state", "reason"),
    [
        (clips.make(clips.greys(3)), "absent", "no_audio_track"),
        (clips.make(sound=clips.tone(1.0, level=0.0005)), "absent", "silent"),
        (clips.make(sound=clips.tone(1.0, level=0)), "absent", "silent"),
    ],
)
def test_without_sound_there_is_a_reason(data: bytes, state: str, reason: str):
    decoded = audio.decode(data, 60)
    assert (decoded.status.state, decoded.status.reason, len(decoded.pcm)) == (state, reason, 0)


def test_an_undecodable_track_has_failed():
    data = clips.make(sound=clips.tone(0.3), form="matroska")
    start = data.index(b"\x1f\x43\xb6\x75")  # the cluster with the packets
    decoded = audio.decode(data[: start + 20], 60)
    assert decoded.status == Status("failed", "undecodable_audio", "aac")


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, samples).astype(np.float32)


def test_speech_is_cut_in_the_pause():
    pcm = noise(seconds(50))
    pcm[seconds(27) : seconds(27.4)] = 0
    cut, spans = audio.chunks(pcm)
    assert cut.shape == (2, CHUNK_SAMPLES)
    assert 27 < spans[0, 1] < 27.4
    assert spans[0, 1] == spans[1, 0]
    assert np.array_equal(cut[1, : seconds(50) - seconds(spans[1, 0])], pcm[seconds(spans[1, 0]) :])
    assert not cut[1, seconds(50) - seconds(spans[1, 0]) :].any()


def test_thirty_seconds_stay_whole():
    assert audio.chunks(noise(CHUNK_SAMPLES))[1].tolist() == [[0, 30]]


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 240))
def test_chunks_cover_all_sound_without_overlap(length_s: float):
    cut, spans = audio.chunks(np.ones(seconds(length_s), np.float32))
    assert len(cut) <= audio.MAX_CHUNKS
    assert spans[0, 0] == 0
    assert np.array_equal(spans[1:, 0], spans[:-1, 1])
    assert spans[-1, 1] == pytest.approx(length_s, abs=1e-3)
    assert (spans[:, 1] - spans[:, 0] <= 30 + 1e-4).all()
    assert cut.sum() == pytest.approx(seconds(length_s))


@settings(deadline=None, max_examples=40)
@given(st.floats(0, 200), st.sampled_from([audio.sound_windows, audio.voice_windows]))
def test_windows_cover_all_sound_within_the_batch(length_s: float, cut):
    pieces, spans = cut(np.ones(seconds(length_s), np.float32))
    most = audio.MAX_SOUND_WINDOWS if cut is audio.sound_windows else audio.MAX_VOICE_WINDOWS
    assert 1 <= len(pieces) == len(spans) <= most
    assert spans[0, 0] == 0
    assert (spans[1:, 0] <= spans[:-1, 1] + 1e-4).all() or length_s > 60.5
    assert spans[-1, 1] == pytest.approx(length_s, abs=1e-3)
    assert pieces.sum(axis=1) == pytest.approx((spans[:, 1] - spans[:, 0]) * SAMPLE_RATE_HZ, abs=2)


@pytest.mark.parametrize("level", [0.0, 0.004])
def test_silence_before_and_after_changes_nothing_in_what_the_tagger_hears(level: float):
    sound = noise(seconds(2.3))
    alone = audio.sound_windows(sound)
    hush = level * noise(seconds(7.3))
    pieces, spans = audio.sound_windows(np.concatenate([hush, sound, hush]))
    np.testing.assert_array_equal(pieces[:-1], alone.pcm[:-1])
    np.testing.assert_allclose(spans - 7.3, alone.spans, atol=0.021)


def test_a_pause_within_is_heard():
    sound = np.concatenate([noise(seconds(1)), np.zeros(seconds(5), np.float32), noise(seconds(1))])
    assert audio.sounding(sound) == (0, len(sound))


def test_within_a_minute_the_hop_is_the_models_own():
    spans = audio.sound_windows(noise(seconds(60.5)))[1]
    assert np.diff(spans[:, 0]) == pytest.approx(0.48, abs=1e-4)
    voice = audio.voice_windows(noise(seconds(60.5)))[1]
    assert np.diff(voice[:-1, 0]) == pytest.approx(1.5, abs=1e-4)


@pytest.mark.parametrize("length_s", [0.4, 2.0, 3.0, 3.7, 10.0, 200.0])
def test_voice_windows_are_full_and_short_sound_stands_in_their_middle(length_s: float):
    pcm = 0.1 + noise(seconds(length_s)) / 10
    pieces, spans = audio.voice_windows(pcm)
    last = pieces[-1]
    if length_s < 3:
        before = (VOICE_SAMPLES - len(pcm)) // 2
        assert np.array_equal(last[before : before + len(pcm)], pcm)
        assert not last[:before].any()
        assert not last[before + len(pcm) :].any()
        assert spans[0] == pytest.approx([0, length_s], abs=1e-3)
    else:
        assert np.array_equal(last, pcm[-VOICE_SAMPLES:])
        assert spans[:, 1] - spans[:, 0] == pytest.approx(3, abs=1e-4)
    assert len(pieces) <= audio.MAX_VOICE_WINDOWS


def test_the_window_of_another_sound_tagger_can_be_set():
    pieces, spans = audio.sound_windows(noise(seconds(25)), samples=seconds(10))
    assert pieces.shape[1] == seconds(10)
    assert spans[-1, 1] == 25


@pytest.mark.parametrize("cut", [audio.chunks, audio.sound_windows, audio.voice_windows])
def test_no_sound_is_one_row_of_zeros_with_an_empty_span(cut):
    pieces, spans = cut(np.zeros(0, np.float32))
    assert len(pieces) == 1
    assert not pieces.any()
    assert spans.tolist() == [[0, 0]]


@pytest.mark.parametrize("speaking", [0, 2, 6])
def test_channels_in_an_order_of_their_own_are_heard(speaking: int):
    sine = 8000 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)
    samples = np.zeros((SAMPLE_RATE_HZ, 8), np.int16)
    samples[:, speaking] = sine
    data = clips.in_caf(samples, "7.1")
    for _ in range(3):
        pcm = audio.decode(data, 60).pcm
        assert np.abs(np.fft.rfft(pcm)).argmax() == 440 * len(pcm) // SAMPLE_RATE_HZ
    with av.open(io.BytesIO(data)) as container:
        frame = next(container.decode(audio=0))
        keep(frame.layout)
        assert frame.layout.name == "8 channels (FL+FR+FC+LFE+SL+SR+BL+BR)"


def endless(time_s: Iterator[float], samples: int, rate_hz: int) -> Iterator[tuple[float, av.AudioFrame]]:
    for at_s in time_s:
        frame = av.AudioFrame.from_ndarray(np.full((1, samples), 99, np.uint8), format="u8", layout="mono")
        frame.sample_rate = rate_hz
        yield at_s, frame


@pytest.mark.parametrize(
    ("times", "samples", "rate_hz"),
    [
        ((0.0 for _ in count()), 100, 100),
        ((float(number % 2) for number in count()), 1, 48_000),
        ((float("nan") for _ in count()), 1, 1),
        ((number / 48_000 for number in count()), 1, 48_000),
    ],
    ids=["all at once", "to and fro", "one sample a second", "a sample a frame"],
)
def test_what_never_ends_is_not_decoded_for_ever(times: Iterator[float], samples: int, rate_hz: int):
    most = 2 * SAMPLE_RATE_HZ
    assert Sheet.of(most, blocks(endless(times, samples, rate_hz), 2.0)).end <= most
    assert next(times) is not None


def test_a_rate_that_nobody_hears_is_not_resampled():
    target = io.BytesIO()
    with av.open(target, "w", format="wav") as container:
        stream = container.add_stream("pcm_u8", rate=2_000_000_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.full((1, 4000), 9, np.uint8), format="u8", layout="mono")
        frame.sample_rate, frame.pts = 2_000_000_000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert audio.decode(target.getvalue(), 60).status.reason == "undecodable_audio"
