"""Two signs of speech that need no model."""

from __future__ import annotations

import numpy as np
import pytest

from samples import clips
from triptych.sound.likeness import likeness

SPOKEN = clips.syllables(5.0)
TIME = np.arange(5 * 16_000) / 16_000
OTHERS = {
    "noise": clips.steady(5.0),
    "a chord": np.sum([np.sin(2 * np.pi * hertz * TIME) for hertz in (220, 277, 330)], axis=0),
    "a steady voice": np.sum([np.sin(2 * np.pi * 120 * n * TIME) / n for n in range(1, 25)], axis=0),
    "noise in pulses of 4 Hz": clips.steady(5.0) * (np.sin(2 * np.pi * 4 * TIME) > 0),
    "a drone that swells": np.sin(2 * np.pi * 220 * TIME) * (1 + np.sin(2 * np.pi * 0.3 * TIME)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_syllables_are_more_like_speech_than(name: str):
    assert likeness(SPOKEN) > likeness(OTHERS[name].astype(np.float32)) + 0.15


def test_the_level_does_not_count():
    assert likeness(SPOKEN * np.float32(1e-3)) == pytest.approx(likeness(SPOKEN), rel=1e-3)


@pytest.mark.parametrize("samples", [0, 1, 5000, 16_000])
def test_silence_is_none_and_short_sound_is_taken(samples: int):
    assert likeness(np.zeros(samples, np.float32)) == 0
    assert 0 <= likeness(SPOKEN[:samples]) <= 1
