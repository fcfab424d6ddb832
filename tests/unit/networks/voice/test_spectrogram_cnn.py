"""The voice channel's network, and its graph against it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from networks.voice.spectrogram_cnn import AttentionPooling, ServedVoice, VoiceCnn
from samples.graphs import session_of
from triptych.paths import OWN_WEIGHTS


def test_gain_does_not_matter() -> None:
    mel = torch.randn(2, 64, 300)
    model = VoiceCnn().eval()
    torch.testing.assert_close(model(mel), model(mel + 3), rtol=1e-4, atol=1e-4)
    scaled = model.normalise(mel - 100 * torch.eye(64, 300))
    assert scaled.shape == (2, 64, 320)
    assert (scaled.min(), scaled.max()) == (-1, 1)


def test_pooling_weights_sum_to_one() -> None:
    constant = torch.full((2, 9, 8), 3.0)
    torch.testing.assert_close(AttentionPooling(8)(constant), torch.full((2, 8), 3.0))


@pytest.mark.parametrize("count", [1, 5])
def test_exported_graph_equals_the_published_model(count: int) -> None:
    model = ServedVoice.load(OWN_WEIGHTS / "spectrogram-cnn").eval()
    log_mel = np.random.default_rng(0).normal(-5, 3, (count, 64, 300)).astype(np.float32)
    (logits,) = session_of(model, "voice_emotion").run(["LOGITS"], {"FEATURES": log_mel})
    with torch.inference_mode():
        np.testing.assert_allclose(logits, model(torch.from_numpy(log_mel)).numpy(), atol=1e-4)
