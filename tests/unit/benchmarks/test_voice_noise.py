"""The noise that the voice channel is measured under."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import voice_noise
from training.data.noise import power
from training.data.speech import Recording
from training.voice import spectrogram_cnn
from triptych.errors import TriptychError
from triptych_client.contract import VOICE_SAMPLES

RANDOM = np.random.default_rng(0)


def clip(speaker: int, samples: int = 20_000) -> Recording:
    """Noise as loud as the speaker's number."""
    pcm = (0.01 * (speaker + 1) * RANDOM.standard_normal(samples)).astype(np.float32)
    return Recording(pcm, speaker % 7, f"speaker {speaker}", "corpus")


CLIPS = [clip(number) for number in range(12)]


@pytest.mark.parametrize("noise", [voice_noise.white, voice_noise.Babble(CLIPS)], ids=["white", "babble"])
@pytest.mark.parametrize("ratio_db", [20, 0])
def test_noise_has_the_power_asked_for(noise: voice_noise.Noise, ratio_db: int) -> None:
    (noisy,) = voice_noise.add_noise(CLIPS[:1], noise, ratio_db)
    assert len(noisy.pcm) == VOICE_SAMPLES
    around = noisy.pcm[: (VOICE_SAMPLES - 20_000) // 2]
    measured_db = 10 * np.log10(power(CLIPS[0].pcm) / power(around))
    assert measured_db == pytest.approx(ratio_db, abs=0.5)


def test_nobody_babbles_around_oneself() -> None:
    alone = [clip(3), *(Recording(np.ones(500, np.float32), 0, f"other {n}", "corpus") for n in range(8))]
    babble = voice_noise.Babble(alone)(alone[0], 1000, np.random.default_rng(0))
    np.testing.assert_allclose(babble, 8.0)


def test_an_unfinished_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(TriptychError, match=r"fold1.*triptych train voice"):
        spectrogram_cnn.load_folds(tmp_path)
