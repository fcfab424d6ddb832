"""Waveforms of speech as wav2vec 2.0 hears them: brought to unit variance; in training, mixed with noise."""

from __future__ import annotations

import torch
from torch import Tensor

TEMPERATURE = "logit_temperature"
"""The name in a checkpoint's config.json of what the logits are divided by when served (Guo et al. 2017)."""
LEAST_VARIANCE = 1e-7
"""Added to the variance, as `Wav2Vec2FeatureExtractor` of transformers does: silence stays silence."""
NOISY = 0.7
"""Part of the windows that noise is mixed into."""
SNR_DB = (5.0, 30.0)
STEEPEST = 2.0
"""Noise is between white (power density f^0) and brown (f^-2)."""


def normalise(waveforms: Tensor) -> Tensor:
    """Bring each window f32 [n, samples] to zero mean and unit variance (Baevski et al. 2020)."""
    centred = waveforms - waveforms.mean(1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(1, keepdim=True) + LEAST_VARIANCE)


def augment(windows: Tensor, generator: torch.Generator) -> Tensor:
    """Mix noise into most windows, [n, samples] of any floating type -> f32 of the same shape.

    At 5 to 30 dB below a window's own power, coloured between white and brown.
    """
    sound = windows.float()
    count = len(sound)
    noise = _coloured(torch.randn(sound.shape, generator=generator), _uniform(count, 0.0, STEEPEST, generator))
    level_db = -_uniform(count, *SNR_DB, generator)
    power = sound.square().mean(1, keepdim=True) * 10 ** (level_db / 10)
    noisy = torch.rand((count, 1), generator=generator) < NOISY
    return torch.where(noisy, sound + noise * power.sqrt(), sound)


def _coloured(white: Tensor, slope: Tensor) -> Tensor:
    """Return noise [n, samples] of unit power whose power density falls with the frequency to the power of `slope`."""
    spectrum = torch.fft.rfft(white)
    bins = torch.arange(spectrum.shape[1]).clamp(min=1)
    coloured = torch.fft.irfft(spectrum * bins ** (-slope / 2), n=white.shape[1])
    return coloured / coloured.square().mean(1, keepdim=True).sqrt()


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand((count, 1), generator=generator)
