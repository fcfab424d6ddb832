"""Windows of speech, log-mel or the sound itself, made to differ as rooms and microphones do."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.data.draw import uniform
from training.data.noise import coloured, gain, mix
from triptych.sound.mel import VOICE_FLOOR, bins_hz, voice_filters

FLOOR = float(np.log(VOICE_FLOOR))
NOISY = 0.6
"""Share of the windows that noise is added to."""
SNR_DB = (0.0, 30.0)
WAVEFORM_NOISY, WAVEFORM_SNR_DB = 0.7, (5.0, 30.0)
"""The same of windows of sound, whose noise a published wav2vec 2.0 is to bear."""
STEEPEST = 2.0
"""Noise is between white (power density f^0) and brown (f^-2)."""
BINS_HZ = torch.from_numpy(bins_hz()[1:]).float()
FILTERS = torch.from_numpy(voice_filters()[:, 1:])


def augment(windows: Tensor, generator: torch.Generator) -> Tensor:
    """Log-mel [n, 64, 300] -> f32 of the same shape: shifted, with noise, another gain, and parts masked.

    Noise is added as power, a band's sum of independent powers being that of the mixture on average: white to brown,
    0 to 30 dB below the window, fluctuating as the power of noise does. Masks: SpecAugment (Park et al. 2019).
    """
    mel, single = _shift(windows.float(), generator), (len(windows), 1, 1)
    noisy = torch.rand(single, generator=generator) < NOISY
    mel = torch.where(noisy, add_noise(mel, generator), mel)
    mel = mel + uniform(single, -3.0, 3.0, generator)
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
    noise = band_powers(uniform(len(mel), 0.0, STEEPEST, generator))
    power, snr_db = mel.exp().sum(1).mean(1), uniform(len(mel), *SNR_DB, generator)
    level = (noise * gain(power, noise.sum(1), snr_db)[:, None]).log()
    fluctuation = torch.empty(mel.shape).exponential_(generator=generator).clamp(min=1e-3).log()
    return torch.logaddexp(mel, level[:, :, None] + fluctuation)


def band_powers(slope: Tensor) -> Tensor:
    """Return the power [n, 64] in each band of noise whose density falls with the frequency to the power of `slope`."""
    return BINS_HZ ** -slope[:, None] @ FILTERS.T


def augment_waveforms(windows: Tensor, generator: torch.Generator) -> Tensor:
    """Sound [n, samples] of any floating type -> f32 of the same shape: noise, white to brown, is mixed into most."""
    sound, single = windows.float(), (len(windows), 1)
    white = torch.randn(sound.shape, generator=generator)
    noise = coloured(white, uniform(single, 0.0, STEEPEST, generator))
    mixed = mix(sound, noise, uniform(single, *WAVEFORM_SNR_DB, generator))
    return torch.where(torch.rand(single, generator=generator) < WAVEFORM_NOISY, mixed, sound)


def _band(mel: Tensor, axis: int, longest: int, generator: torch.Generator) -> Tensor:
    """Return a mask, true in one run of up to `longest` rows or frames of each window."""
    size = mel.shape[axis]
    length = torch.randint(0, longest + 1, (len(mel), 1), generator=generator)
    start = (torch.rand((len(mel), 1), generator=generator) * (size - length)).long()
    position = torch.arange(size)[None]
    inside = (position >= start) & (position < start + length)
    return inside.unsqueeze(3 - axis)
