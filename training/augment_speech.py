"""Log-mel windows of speech, made to differ as speakers, rooms and microphones do."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from triptych.mel import VOICE_FLOOR, voice_centres_hz
from triptych_client.contract import SAMPLE_RATE_HZ

FLOOR = float(np.log(VOICE_FLOOR))
LARGEST_WARP = 0.1
"""By what part of its length another throat is longer or shorter."""
BEND_HZ = 4800.0
"""Up to here a throat's length moves all frequencies alike (Jaitly and Hinton 2013)."""
FASTEST = 1.15
"""How many times as fast, or as slow, the same speech may be."""
FARTHEST_FRAMES = 50
"""How far a window is moved, in frames of 10 ms."""
NOISY = 0.5
"""Part of the windows that noise is mixed into."""


def augment(windows: Tensor, generator: torch.Generator) -> Tensor:
    """Log-mel [n, 64, 300] -> f32 of the same shape: another throat, tempo, place and gain, with noise, parts masked.

    Noise is added as power, a band's sum of independent powers being that of the mixture on average: white to brown,
    at 5 to 30 dB below the window's loudest band, fluctuating as the power of noise does. Masks: SpecAugment
    (Park et al. 2019).
    """
    mel = _warp(windows.float(), generator)
    noisy = torch.rand(len(mel), generator=generator) < NOISY
    mel[noisy] = _add_noise(mel[noisy], generator)
    mel = mel + _uniform(mel, -3.0, 3.0, generator)
    for axis, longest in ((1, 10), (2, 40)):
        mel = torch.where(_band(mel, axis, longest, generator), mel.amin((1, 2), keepdim=True), mel)
    return mel.clamp(min=FLOOR)


def _warp(mel: Tensor, generator: torch.Generator) -> Tensor:
    """Stretch the frequencies of each window, stretch its time, and move it, with silence where nothing is left."""
    count, bands, frames = mel.shape
    across = _throat(generator, count)
    tempo = torch.exp(_uniform(mel, -1.0, 1.0, generator) * float(np.log(FASTEST))).flatten(1)
    shift = (torch.rand((count, 1), generator=generator) * 2 - 1) * (2 * FARTHEST_FRAMES / frames)
    along = torch.linspace(-1, 1, frames)[None] * tempo + shift
    rows, columns = across[:, :, None].expand(-1, -1, frames), along[:, None].expand(-1, bands, -1)
    grid = torch.stack([columns, rows], 3)
    return grid_sample((mel - FLOOR)[:, None], grid, align_corners=True)[:, 0] + FLOOR


def _throat(generator: torch.Generator, count: int) -> Tensor:
    """Return where each band of a voice from another throat was before, [count, 64] in [-1, 1] from low to high.

    Vocal tract length perturbation (Jaitly and Hinton 2013): frequencies times a factor up to a bend, and from there
    straight to the highest, which stays.
    """
    factor = 1 + (torch.rand((count, 1), generator=generator).numpy() * 2 - 1) * LARGEST_WARP
    centres, highest = voice_centres_hz(), SAMPLE_RATE_HZ / 2
    bend = BEND_HZ * np.minimum(factor, 1) / factor
    above = highest - (highest - factor * bend) * (highest - centres) / (highest - bend)
    sources = np.interp(np.where(centres < bend, factor * centres, above), centres, np.linspace(-1, 1, len(centres)))
    return torch.from_numpy(sources.astype(np.float32))


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


def _uniform(mel: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand((len(mel), 1, 1), generator=generator)
