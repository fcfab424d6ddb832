"""Waveforms of speech as wav2vec 2.0 hears them: brought to unit variance."""

from __future__ import annotations

import torch
from torch import Tensor

TEMPERATURE = "logit_temperature"
"""The name in a checkpoint's config.json of what the logits are divided by when served (Guo et al. 2017)."""
LEAST_VARIANCE = 1e-7
"""Added to the variance, as `Wav2Vec2FeatureExtractor` of transformers does: silence stays silence."""


def normalise(waveforms: Tensor) -> Tensor:
    """Bring each window f32 [n, samples] to zero mean and unit variance (Baevski et al. 2020)."""
    centred = waveforms - waveforms.mean(1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(1, keepdim=True) + LEAST_VARIANCE)
