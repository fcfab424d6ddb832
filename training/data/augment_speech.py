"""Log-mel windows of speech, made to differ as rooms and microphones do."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from triptych.sound.mel import VOICE_FLOOR, bins_hz, voice_filters

FLOOR = float(np.log(VOICE_FLOOR))
NOISY = 0.6
"""Share of the windows that noise is added to."""
SNR_DB = (0.0, 30.0)
STEEPEST = 2.0
"""Noise is between white (power density f^0) and brown (f^-2)."""
BINS_HZ = torch.from_numpy(bins_hz()[1:]).float()
FILTERS = torch.from_numpy(voice_filters()[:, 1:])


def augment(windows: Tensor, generator: torch.Generator) -> Tensor:
    """Log-mel [n, 64, 300] -> f32 of the same shape: shifted, with noise, another gain, and parts masked.

    Noise is added as power, a band's sum of independent powers being that of the mixture on average: white to brown,
    0 to 30 dB below the window, fluctuating as the power of noise does. Masks: SpecAugment (Park et al. 2019).
    """
    mel = _shift(windows.float(), generator)
    mel = torch.where(_chance(mel, NOISY, generator), add_noise(mel, generator), mel)
    mel = mel + _uniform(mel, -3.0, 3.0, generator)
    for axis, longest in ((1, 10), (2, 40)):
        mel = torch.where(_band(mel, axis, longest, generator), mel.amin((1, 2), keepdim=True), mel)
    return mel.clamp(min=FLOOR)


def _shift(mel: Tensor, generator: torch.Generator) -> Tensor:
    """Move each window by up to half a second, with silence behind it."""
    frames = mel.shape[2]
    shift = torch.randint(-50, 51, (len(mel), 1), generator=generator)
    source = torch.arange(frames)[None] + shift
    moved = mel.gather(2, source.clamp(0, frames - 1)[:, None].expand_as(mel))
    return torch.where(((source >= 0) & (source < frames))[:, None], moved, FLOOR)


def add_noise(mel: Tensor, generator: torch.Generator) -> Tensor:
    """Add coloured noise to each window f32 [n, 64, 300], at a ratio from SNR_DB.

    The power of a window is that of all its bands, silence included.
    """
    noise = coloured(_uniform(mel, 0.0, STEEPEST, generator).flatten())
    power = mel.exp().sum(1).mean(1) * 10 ** (-_uniform(mel, *SNR_DB, generator).flatten() / 10)
    level = (noise * (power / noise.sum(1))[:, None]).log()
    fluctuation = torch.empty(mel.shape).exponential_(generator=generator).clamp(min=1e-3).log()
    return torch.logaddexp(mel, level[:, :, None] + fluctuation)


def coloured(slope: Tensor) -> Tensor:
    """Return the power [n, 64] in each band of noise whose density falls with the frequency to the power of `slope`."""
    return BINS_HZ ** -slope[:, None] @ FILTERS.T


def _band(mel: Tensor, axis: int, longest: int, generator: torch.Generator) -> Tensor:
    """Return a mask, true in one run of up to `longest` rows or frames of each window."""
    size = mel.shape[axis]
    length = torch.randint(0, longest + 1, (len(mel), 1), generator=generator)
    start = (torch.rand((len(mel), 1), generator=generator) * (size - length)).long()
    position = torch.arange(size)[None]
    inside = (position >= start) & (position < start + length)
    return inside.unsqueeze(3 - axis)


def _chance(mel: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    return torch.rand((len(mel), 1, 1), generator=generator) < probability


def _uniform(mel: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand((len(mel), 1, 1), generator=generator)
