"""Many channels to the one that is listened to.

Usually that is libswresample's mix. It loses what is opposite in phase on two channels, leaves out the channel of low
frequencies (LFE), and drowns a voice on one channel in the noise of seven others: then the channels are mixed with the
same phase, or the one is taken that is most like speech.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triptych.sound.likeness import likeness
from triptych_client.contract import ALL_CHANNELS, INVERTED, SAMPLE_RATE_HZ

WEIGHTS = {"FC": 1.0, "LFE": 0.0, "LFE2": 0.0, **dict.fromkeys(("FL", "FR", "FLC", "FRC"), 0.5**0.5)}
OTHER_WEIGHT = 0.5
"""Of channels in a mix to mono, by FFmpeg's names (libswresample/rematrix.c): -3 dB for the front, -6 dB for others."""

CANCELLED = 0.1
"""A mix with less than this share of the power that unrelated channels would have has lost what they share."""
RELATED = 0.3
"""Channels whose correlation with the mix is at least this carry the same sound."""
FAINT = 1e-4
"""A channel 40 dB below the loudest one is not asked."""
CLEARER = 0.15
"""So much more like speech than the mix is what is taken in its place: two who speak in turn, each into a microphone of
his own, are less apart."""
STRETCHES, STRETCH_SAMPLES = 4, 5 * SAMPLE_RATE_HZ // 2
"""10 s of a clip, spread over it, are compared."""


def mix(channels: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, str]:
    """Mix channels FP32 [c, samples] by their FFmpeg names; return FP32 [samples], and what of them is heard."""
    if len(channels) == 1:
        return channels[0], ALL_CHANNELS
    weights = _weights(names)
    power = channels @ channels.T / max(channels.shape[1], 1)
    signs = _signs(power)
    mixed_power, unrelated = weights @ power @ weights, weights**2 @ np.diag(power)
    if mixed_power < CANCELLED * unrelated:
        return (weights * signs) @ channels, INVERTED
    mixed = weights @ channels
    asked = _unrelated(power, weights)
    if not len(asked):
        return mixed, ALL_CHANNELS
    alone = [channels[row] for row in asked]
    scores = [likeness(sample(pcm)) for pcm in (mixed, *alone)]
    if mixed_power < FAINT * np.diag(power).max():
        scores[0] = -1.0  # what is not in the mix is not heard otherwise, whatever it is
    best = int(np.argmax(scores))
    if scores[best] - scores[0] <= CLEARER:
        return mixed, ALL_CHANNELS
    return alone[best - 1], names[int(asked[best - 1])]


def sample(pcm: np.ndarray) -> np.ndarray:
    """Return stretches of sound FP32 [samples], spread over it; all of it where it is short."""
    if len(pcm) <= STRETCHES * STRETCH_SAMPLES:
        return pcm
    starts = np.linspace(0, len(pcm) - STRETCH_SAMPLES, STRETCHES).astype(int)
    return np.concatenate([pcm[start : start + STRETCH_SAMPLES] for start in starts])


def _weights(names: Sequence[str]) -> np.ndarray:
    """Return the share of each channel in the mix, FP32 [c]; equal where all are channels of low frequencies."""
    weights = np.array([WEIGHTS.get(name, OTHER_WEIGHT) for name in names], np.float32)
    return weights / weights.sum() if weights.any() else np.full(len(names), 1 / len(names), np.float32)


def _signs(power: np.ndarray) -> np.ndarray:
    """Return 1 or -1 for each channel: as it moves with what most of the sound is, from the powers [c, c]."""
    main = np.linalg.eigh(power)[1][:, -1]
    signs = np.where(main < 0, -1, 1).astype(np.float32)
    return signs * signs[np.abs(main).argmax()]


def _unrelated(power: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the rows of channels that are loud enough to hear and unlike the mix."""
    own = np.diag(power)
    with_mix = power @ weights / np.sqrt(np.maximum(own * (weights @ power @ weights), 1e-30))
    return np.flatnonzero((own > FAINT * own.max()) & (with_mix < RELATED))
