"""Whisper's log-mel: DALI against transformers' feature extractor."""

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor

from samples import dali_pipelines
from triptych.commands.demo_speech import synthesise
from triptych_client.contract import CHUNK_SAMPLES

RNG = np.random.default_rng(0)


def chunk(pcm: np.ndarray) -> np.ndarray:
    """Return the sound as audio_decode hands it over: [480000], padded with zeros."""
    padded = np.zeros(CHUNK_SAMPLES, np.float32)
    padded[: len(pcm)] = pcm
    return padded


CHUNKS = {
    "speech": chunk(synthesise("The sea was calm, and nobody spoke.")),
    "thirty seconds of noise": (0.1 * RNG.standard_normal(CHUNK_SAMPLES)).astype(np.float32),
    "a click": chunk(np.array([1.0], np.float32)),
    "faint noise": chunk((1e-4 * RNG.standard_normal(16_000)).astype(np.float32)),
    "silence": chunk(np.zeros(0, np.float32)),
}


@pytest.fixture(scope="module", params=[80, 128])
def log_mels(request, tmp_path_factory):
    """The log-mel of each chunk, computed as one batch, and how many bands it has."""
    path = dali_pipelines.serialise("whisper_features", tmp_path_factory.mktemp("dali"), n_mels=request.param)
    found = dali_pipelines.run(path, "CHUNKS", list(CHUNKS.values()))
    return dict(zip(CHUNKS, found, strict=True)), request.param


@pytest.mark.parametrize("name", CHUNKS)
def test_dali_equals_transformers(log_mels, name):
    found, n_mels = log_mels
    extractor = WhisperFeatureExtractor(feature_size=n_mels)
    features = extractor(CHUNKS[name], sampling_rate=16_000, return_tensors="np").input_features[0]
    assert found[name].shape == features.shape == (n_mels, 3000)
    np.testing.assert_allclose(found[name], features, atol=1e-4)


def test_gpu_operators_serialise(monkeypatch, tmp_path):
    on_cpu = dali_pipelines.serialise("whisper_features", tmp_path, n_mels=80)
    assert dali_pipelines.devices(on_cpu) == {"cpu"}
    monkeypatch.setenv("TRIPTYCH_DALI_DEVICE", "gpu")
    on_gpu = dali_pipelines.serialise("whisper_features", tmp_path, n_mels=80)
    assert "gpu" in dali_pipelines.devices(on_gpu)
