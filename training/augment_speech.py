"""Log-mel windows of speech, made to differ as rooms and microphones do."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from triptych.mel import VOICE_FLOOR

FLOOR = float(np.log(VOICE_FLOOR))


def augment(windows: Tensor, generator: torch.Generator) -> Tensor:
    """Log-mel [n, 64, 300] -> f32 of the same shape: shifted, with noise, another gain, and parts masked.

    Noise is added as power, a band's sum of independent powers being that of the mixture on average: white to brown,
    at 5 to 30 dB below the window's loudest band, fluctuating as the power of noise does. Masks: SpecAugment
    (Park et al. 2019).
    """
    mel = _shift(windows.float(), generator)
    mel = torch.where(_chance(mel, 0.7, generator), _add_noise(mel, generator), mel)
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


def _add_noise(mel: Tensor, generator: torch.Generator) -> Tensor:
    loudest = mel.mean(2, keepdim=True).amax(1, keepdim=True)
    level = loudest - _uniform(mel, 5.0, 30.0, generator) * (np.log(10) / 10)
    slope = -_uniform(mel, 0.0, 4.0, generator) * torch.linspace(0, 1, mel.shape[1])[None, :, None]
    fluctuation = torch.empty(mel.shape).exponential_(generator=generator).clamp(min=1e-3).log()
    return torch.logaddexp(mel, level + slope + fluctuation)


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
