"""Noise that is mixed into sound: in training, to fit the fusion, and to measure."""

from __future__ import annotations

from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor

Samples = TypeVar("Samples", np.ndarray, Tensor)


def power(sound: Samples) -> Samples:
    """Return the mean square [.., 1] of sound [.., samples]."""
    return (sound * sound).mean(axis=-1, keepdims=True)  # type: ignore[call-overload]


def gain(sound_power: Samples, noise_power: Samples, snr_db: Samples | float) -> Samples:
    """Return what noise's power is multiplied by so that it is `snr_db` decibels below the sound's."""
    return sound_power / noise_power * 10 ** (-snr_db / 10)  # type: ignore[operator]


def mix(sound: Samples, noise: Samples, snr_db: Samples | float, reference: Samples | None = None) -> Samples:
    """Add noise [.., samples] to sound of the same shape, `snr_db` [.., 1] below its mean power.

    `reference` is what counts as the sound where that is shorter than what stands in its place.
    """
    level = gain(power(sound if reference is None else reference), power(noise), snr_db)
    return cast(Samples, sound + noise * level**0.5)


def coloured(white: Tensor, slope: Tensor | float) -> Tensor:
    """White noise [.., samples] -> noise whose power density falls with the frequency to the power of `slope` [.., 1].

    0 is white, 1 pink, 2 brown. One more bin is counted than there is below, so that the mean is finite.
    """
    spectrum = torch.fft.rfft(white)
    bins = torch.arange(1, spectrum.shape[-1] + 1, dtype=white.dtype)
    return torch.fft.irfft(spectrum * bins ** (-slope / 2), n=white.shape[-1])
