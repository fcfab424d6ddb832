"""Channels are mixed so that whoever speaks on them is heard."""

from __future__ import annotations

import av
import numpy as np
import pytest

from samples import clips
from triptych.media import audio, mixing
from triptych.media.channels import MAX_CHANNELS, Sheet
from triptych_client.contract import ALL_CHANNELS, INVERTED

SPEECH = clips.syllables(4.0)
LAYOUTS = ("mono", "stereo", "2.1", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")


def channels_of(layout: str) -> tuple[str, ...]:
    return tuple(channel.name for channel in av.AudioLayout(layout).channels)


def speaking_on(row: int, count: int, noise: float = 0.0) -> np.ndarray:
    channels = np.stack([clips.steady(4.0, noise, seed) for seed in range(count)])
    channels[row] += SPEECH
    return channels


def likeness_to(pcm: np.ndarray, other: np.ndarray) -> float:
    return abs(float(np.corrcoef(pcm, other)[0, 1]))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_usual_mix_is_that_of_libswresample(layout: str):
    names = channels_of(layout)
    samples = np.stack([clips.steady(0.5, 0.1, seed) for seed in range(len(names))])
    common = 0.3 * clips.syllables(0.5)
    packed = np.ascontiguousarray(32768 * (samples + common).T).astype(np.int16).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
    frame.sample_rate = 16_000
    (theirs,) = av.AudioResampler("s16", "mono", 16_000).resample(frame)
    ours, heard = mixing.mix((samples + common).astype(np.float32), names)
    assert ours == pytest.approx(theirs.to_ndarray()[0] / 32768, abs=2e-4)
    assert heard == ALL_CHANNELS


@pytest.mark.parametrize("share", [1.0, 0.9, 0.5])
def test_opposite_phase_is_turned_over(share: float):
    pcm, heard = mixing.mix(np.stack([SPEECH, -share * SPEECH]).astype(np.float32), ("FL", "FR"))
    assert heard == (INVERTED if share > 0.5 else ALL_CHANNELS)
    assert likeness_to(pcm, SPEECH) > 0.99
    assert np.abs(pcm).max() > 0.1


@pytest.mark.parametrize("layout", ["stereo", "2.1", "3.0", "5.1", "7.1"])
def test_speech_on_one_channel_is_heard_whichever_it_is(layout: str):
    names = channels_of(layout)
    for row in range(len(names)):
        for noise in (0.0, 0.03):
            pcm, _ = mixing.mix(speaking_on(row, len(names), noise), names)
            assert likeness_to(pcm, SPEECH) > 0.6, (names[row], noise)


def test_what_only_the_low_frequencies_carry_is_heard_whatever_it_is():
    hum = np.sin(2 * np.pi * 50 * np.arange(64_000) / 16_000)
    pcm, heard = mixing.mix(np.stack([0 * hum, 0 * hum, hum]).astype(np.float32), ("FL", "FR", "LFE"))
    assert heard == "LFE"
    assert np.abs(pcm).max() > 0.9


def test_two_who_speak_in_turn_on_a_channel_each_are_both_heard():
    low, high = clips.syllables(8.0, 110), clips.syllables(8.0, 210)
    turns = np.arange(len(low)) // 32_000 % 2
    pcm, heard = mixing.mix(np.stack([low * (turns == 0), high * (turns == 1)]).astype(np.float32), ("FL", "FR"))
    assert heard == ALL_CHANNELS
    assert likeness_to(pcm, low * (turns == 0) + high * (turns == 1)) > 0.99


def test_deep_noise_on_the_low_frequencies_stays_out():
    rumble = np.sin(2 * np.pi * 40 * np.arange(64_000) / 16_000) * 0.9
    channels = np.stack([SPEECH, SPEECH, SPEECH, rumble, 0 * SPEECH, 0 * SPEECH]).astype(np.float32)
    pcm, heard = mixing.mix(channels, channels_of("5.1"))
    assert heard == ALL_CHANNELS
    assert likeness_to(pcm, SPEECH) > 0.99


@pytest.mark.parametrize("layout", ["9 channels", "hexadecagonal", "22.2"])
def test_more_channels_than_a_cinema_has_are_heard(layout: str):
    count = av.AudioLayout(layout).nb_channels
    for speaking in (0, count - 1):
        sound = audio.decode(clips.in_matroska(speaking_on(speaking, count), layouts=[layout]), 60)
        assert sound.status.ok
        assert likeness_to(sound.pcm[: len(SPEECH)], SPEECH) > 0.9


def test_samples_above_full_scale_are_heard_as_they_are():
    hot = SPEECH / np.abs(SPEECH).max()
    sound = audio.decode(clips.in_matroska(np.stack([6 * hot, 6 * hot]), layouts=["stereo"]), 60)
    assert sound.pcm == pytest.approx(hot, abs=1e-3)


def test_numbers_that_are_none_are_silence():
    broken = np.stack([SPEECH, SPEECH])
    broken[:, 30_000:30_010] = [[np.nan], [np.inf]]
    pcm = audio.decode(clips.in_matroska(broken, layouts=["stereo"]), 60).pcm
    assert np.isfinite(pcm).all()
    assert likeness_to(pcm, SPEECH) > 0.99


def test_other_channels_in_the_middle_are_mixed_apart():
    second = SPEECH[:16_000]
    mono, stereo = ("FC",), ("FL", "FR")
    written = [(0, second[None], mono), (16_000, np.stack([second, 0 * second]), stereo), (32_000, second[None], mono)]
    pcm, heard = Sheet.of(50_000, written).mixed()
    assert pcm == pytest.approx(np.concatenate([second, second / 2, second]), abs=1e-6)
    assert heard == ALL_CHANNELS


def test_channels_beyond_those_told_apart_are_added_to_the_first():
    names = tuple(map(str, range(MAX_CHANNELS + 3)))
    channels = np.zeros((len(names), 16_000), np.float32)
    channels[-1] = SPEECH[:16_000]
    pcm, _ = Sheet.of(16_000, [(0, channels, names)]).mixed()
    assert likeness_to(pcm, SPEECH[:16_000]) > 0.99
