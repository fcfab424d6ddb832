"""Silero VAD as exported: parity with the package's own graph, fed frame by frame, and what it hears."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from export.onnx import checked
from networks.sound import silero
from triptych.commands.demo_speech import synthesise
from triptych.sound.detector import SpeechDetector
from triptych.sound.speech import FRAME_SAMPLES
from triptych_client.contract import SAMPLE_RATE_HZ

NO_TAGS = np.zeros((0, 2)), np.zeros((0, 2), np.float32)


@pytest.fixture(scope="module")
def said() -> np.ndarray:
    return synthesise("Good morning. How are you today?", "en", 150)


def test_parity_with_the_package_frame_by_frame(weights, said: np.ndarray):
    folder = weights("silero-vad")
    package = onnxruntime.InferenceSession(folder / silero.FILE, providers=["CPUExecutionProvider"])
    frames = said[: len(said) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    before, state, cell = np.zeros(64, np.float32), *np.zeros((2, 1, 1, 128), np.float32)
    expected = []
    for frame in frames:
        feeds = {"input": np.concatenate([before, frame])[None], "h": state, "c": cell}
        probability, state, cell = package.run(None, feeds)
        expected.append(probability.item())
        before = frame[-64:]
    served = checked(silero.load(folder)["model.onnx"]).SerializeToString()
    session = onnxruntime.InferenceSession(served, providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["SPEECH"], {"PCM": frames.ravel()})
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert probabilities.max() > 0.9


@pytest.fixture(scope="module")
def detector(repository) -> SpeechDetector:
    return SpeechDetector(repository / "speech_detector" / "1")


@pytest.mark.parametrize("lead_in_s", [0, 12, 20])
@pytest.mark.parametrize("level", [1.0, 0.03])
def test_speech_is_found_when_it_is_said_however_loud(
    detector: SpeechDetector, said: np.ndarray, lead_in_s: int, level: float
):
    silence = np.zeros(lead_in_s * SAMPLE_RATE_HZ, np.float32)
    found = detector.detect(np.concatenate([silence, level * said]), *NO_TAGS) / SAMPLE_RATE_HZ - lead_in_s
    assert found[0, 0] == pytest.approx(0, abs=0.3)
    assert found[-1, 1] == pytest.approx(len(said) / SAMPLE_RATE_HZ, abs=0.5)
    assert np.diff(found).sum() > 0.5 * len(said) / SAMPLE_RATE_HZ


def noises() -> dict[str, np.ndarray]:
    """Return ten seconds each of sounds that nobody speaks in."""
    random, seconds = np.random.default_rng(0), np.arange(10 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    white = random.normal(size=len(seconds))
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.arange(1, len(seconds) // 2 + 2)))
    clicks = 0.5 * (random.random(len(seconds)) < 3 / SAMPLE_RATE_HZ)
    return {
        "white, -60 dB": 1e-3 * white,
        "pink, -30 dB": 0.03 * pink / pink.std(),
        "clicks": clicks,
        "hum": 0.01 * sum(np.sin(2 * np.pi * 50 * k * seconds) / k for k in range(1, 8)),
        "beeps": 0.2 * np.sin(2 * np.pi * 1000 * seconds) * (seconds % 1 < 0.2),
        "breaths": 0.03 * white * np.maximum(np.sin(2 * np.pi * 0.3 * seconds), 0) ** 2,
    }


@pytest.mark.parametrize("sound", noises().values(), ids=noises())
def test_nobody_speaks_in_noise_at_any_level(detector: SpeechDetector, sound: np.ndarray):
    assert not len(detector.detect(sound.astype(np.float32), *NO_TAGS))


def test_no_sound_is_no_speech(detector: SpeechDetector):
    assert detector.detect(np.zeros(0, np.float32), *NO_TAGS).shape == (0, 2)
