"""The level of a recording does not decide what is heard in it."""

from __future__ import annotations

import numpy as np
import pytest

from samples import clips
from triptych.sound import level

SPEECH = clips.syllables(4.0) + clips.steady(4.0, 1e-4)


def at(decibels: float, pcm: np.ndarray) -> np.ndarray:
    return (pcm * 10 ** (decibels / 20)).astype(np.float32)


@pytest.mark.parametrize("decibels", [-30, -40, -55, -70])
def test_quiet_speech_is_raised_to_where_it_is_heard(decibels: float):
    loud, quiet = level.measure(level.levelled(SPEECH)), level.measure(level.levelled(at(decibels, SPEECH)))
    assert quiet.loud_db == pytest.approx(level.TARGET_DB, abs=0.1)
    assert loud.loud_db - quiet.loud_db < 20
    assert not quiet.silent


@pytest.mark.parametrize("decibels", [0, -10])
def test_sound_of_usual_level_stays_as_it_is(decibels: float):
    pcm = at(decibels, SPEECH)
    assert np.array_equal(level.levelled(pcm), pcm)


@pytest.mark.parametrize("decibels", [3, 12, 40])
def test_what_is_beyond_full_scale_is_lowered_and_not_clipped(decibels: float):
    hot = at(decibels, SPEECH / np.abs(SPEECH).max())
    assert level.levelled(hot) == pytest.approx(SPEECH / np.abs(SPEECH).max(), abs=1e-5)


def test_noise_is_not_raised_to_the_level_of_speech():
    hiss = level.measure(level.levelled(clips.steady(4.0, 1e-3)))
    assert hiss.loud_db == pytest.approx(level.BACKGROUND_DB, abs=2)


@pytest.mark.parametrize("seconds", [0.5, 5.0, 20.0])
def test_silence_before_and_after_changes_nothing(seconds: float):
    around = np.zeros(round(seconds * 16_000), np.float32)
    quiet = at(-45, SPEECH)
    padded = level.measure(np.concatenate([around, quiet, around]))
    assert padded.gain_db == pytest.approx(level.measure(quiet).gain_db, abs=0.5)


def test_a_click_does_not_set_the_level():
    clicked = at(-50, SPEECH)
    clicked[20_000:20_100] = 0.05
    assert level.measure(clicked).loud_db == pytest.approx(level.measure(at(-50, SPEECH)).loud_db, abs=0.5)


@pytest.mark.parametrize(
    ("pcm", "silent"),
    [
        (np.zeros(16_000, np.float32), True),
        (np.zeros(0, np.float32), True),
        (np.round(clips.steady(3.0, 2e-5) * 32768) / 32768, True),
        (clips.steady(3.0, 3e-4), True),
        (clips.steady(3.0, 1e-2), False),
        (at(-70, SPEECH), False),
        (np.ones(10, np.float32), False),
    ],
    ids=["zeros", "nothing", "dither", "hiss", "a machine", "whispered afar", "ten samples"],
)
def test_silent_is_what_is_silent(pcm: np.ndarray, silent: bool):
    assert level.measure(pcm).silent is silent
