"""The voice's head on Whisper's encoder: the graph against transformers' own states, and what it bears."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from networks import weights as files
from networks.voice.whisper_states import FEATURES, LAYERS, Head, States, WhisperVoice
from networks.whisper import published
from samples.graphs import session_of
from triptych.errors import TriptychError
from triptych.paths import OWN_WEIGHTS
from triptych.sound import mel
from triptych_client.contract import EMOTIONS, VOICE_SAMPLES

RNG = np.random.default_rng(0)
SOUNDS = np.stack(
    [
        0.1 * RNG.standard_normal(VOICE_SAMPLES),
        0.3 * np.sin(2 * np.pi * 180 * np.arange(VOICE_SAMPLES) / 16_000),
        np.zeros(VOICE_SAMPLES),
    ]
).astype(np.float32)


@pytest.fixture(scope="module")
def log_mels() -> np.ndarray:
    return np.stack([mel.whisper_log_mel(sound) for sound in SOUNDS])


@pytest.fixture(scope="module")
def served(weights: Callable[[str], Path]) -> WhisperVoice:
    return WhisperVoice.load(OWN_WEIGHTS / "whisper-states", weights("whisper-base")).eval()


@pytest.fixture(scope="module")
def graph(served: WhisperVoice) -> onnxruntime.InferenceSession:
    return session_of(served, "voice_emotion")


def test_the_states_are_those_of_transformers_encoder(weights: Callable[[str], Path], log_mels: np.ndarray):
    """On 3 s alone: its positions are counted from 0, and its last layers are not needed."""
    model = published.read(weights("whisper-base")).model
    states = States(model).eval()
    encoder = model.model.encoder
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(encoder.embed_positions.weight[:150].detach())
    encoder.config.max_source_positions = 150
    with torch.inference_mode():
        found = states(torch.from_numpy(log_mels))
        hidden = encoder(torch.from_numpy(log_mels), output_hidden_states=True).hidden_states
        means = [hidden[layer].mean(1) for layer in LAYERS]
        deviations = [hidden[layer].std(1, correction=0) for layer in LAYERS]
    torch.testing.assert_close(found, torch.cat([*means, *deviations], 1), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("count", [1, 3])
def test_parity(served: WhisperVoice, graph: onnxruntime.InferenceSession, log_mels: np.ndarray, count: int):
    with torch.inference_mode():
        expected = served(torch.from_numpy(log_mels[:count])).numpy()
    (found,) = graph.run(["LOGITS"], {"FEATURES": log_mels[:count]})
    assert found.shape == (count, len(EMOTIONS))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_gain_hardly_matters(graph: onnxruntime.InferenceSession):
    """Whisper's log-mel is clipped 80 dB below its loudest band; what is left of the level is an offset."""
    rows = np.stack([mel.whisper_log_mel(gain * SOUNDS[0]) for gain in (1.0, 0.1)])
    loud, quiet = graph.run(["LOGITS"], {"FEATURES": rows})[0]
    assert loud.argmax() == quiet.argmax()


def test_a_head_of_another_network_is_refused(weights: Callable[[str], Path], tmp_path: Path):
    save(torch.nn.Linear(3, 7), tmp_path / "model.safetensors")
    with pytest.raises(TriptychError, match="is not weights of Head"):
        WhisperVoice.load(tmp_path, weights("whisper-base"))


def test_a_head_keeps_what_it_was_standardised_by(tmp_path: Path):
    head = Head()
    head.mean.fill_(2.0)
    head.scale.fill_(0.5)
    save(head, tmp_path / "model.safetensors")
    read = Head()
    files.load(read, tmp_path / "model.safetensors")
    states = torch.randn(2, FEATURES)
    with torch.inference_mode():
        torch.testing.assert_close(read(states), read.linear(2 * (states - 2)), atol=1e-4, rtol=1e-4)


def save(module: torch.nn.Module, path: Path) -> None:
    files.save(module, 1.0, path)
