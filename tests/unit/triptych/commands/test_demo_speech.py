"""The synthesiser that makes the recordings of these tests."""

from __future__ import annotations

import numpy as np
import pytest

from triptych.commands.demo_speech import synthesise
from triptych.errors import TriptychError


def test_speech_is_16_khz_pcm_and_reproducible():
    first = synthesise("Good morning. How are you?")
    synthesise("Something else in between.", voice="de", words_per_minute=200, pitch=80)
    second = synthesise("Good morning. How are you?")
    assert first.dtype == np.float32
    assert 1.0 < len(first) / 16_000 < 4.0
    assert 0.1 < np.abs(first).max() <= 1.0
    np.testing.assert_array_equal(first, second)


def test_rate_and_pitch_change_the_speech():
    slow = synthesise("Good morning.", words_per_minute=100)
    fast = synthesise("Good morning.", words_per_minute=250)
    high = synthesise("Good morning.", words_per_minute=250, pitch=99)
    assert len(slow) > 1.5 * len(fast)
    assert fast.shape != high.shape or np.abs(fast - high).max() > 0.1


def test_nothing_to_say_is_all_but_nothing():
    assert len(synthesise("")) < 1_600


def test_an_unknown_voice_is_named():
    with pytest.raises(TriptychError, match="'zz'"):
        synthesise("Hello", voice="zz")
