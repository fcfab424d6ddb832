"""How much sound is like speech, by two signs that need no model: the rhythm of syllables, and a voice's pitch.

- Speech gets louder and softer 2 to 8 times a second, as syllables follow each other (Houtgast and Steeneken 1985;
  Scheirer and Slaney 1997 tell speech from music by it): of all that an envelope fluctuates by, the share of that.
- Where speech is loud it is voiced: periodic, with 80 to 400 periods a second.

Their product says neither that there are words, nor when: `benchmarks/evidence/tracks.py` tells how far it goes. It is
for choosing between several sounds of one clip.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from triptych_client.contract import SAMPLE_RATE_HZ

FRAME, HOP = 512, 160
"""Frames of 32 ms, two periods of the deepest voice, every 10 ms."""
BANDS_HZ = tuple(np.geomspace(300, 3400, 5))
"""Four bands of the telephone's range, as wide in octaves."""
SYLLABLES_HZ = (2.0, 8.0)
RHYTHM_FRAMES = 128
"""Rhythm is looked for in stretches of 1.28 s, every half of one."""
PERIODS = slice(SAMPLE_RATE_HZ // 400, SAMPLE_RATE_HZ // 80)
"""Samples of a voice's period."""
AT_ONCE = 1000
"""Frames whose spectra are held at a time: 10 s take 8 MB."""

# scipy.signal has it too, and takes 1.2 s to import: each step would start so much later.
_WINDOW = np.hanning(FRAME)
_OWN = np.fft.irfft(np.abs(np.fft.rfft(_WINDOW, 2 * FRAME)) ** 2)[:FRAME]
"""Autocorrelation of the window itself, by which that of a windowed frame falls (Boersma 1993)."""
_HZ = np.fft.rfftfreq(2 * FRAME, 1 / SAMPLE_RATE_HZ)
_IN_BAND = np.stack([(low <= _HZ) & (high > _HZ) for low, high in pairwise(BANDS_HZ)]).astype(np.float64)


def likeness(pcm: np.ndarray) -> float:
    """Return how much sound FP32 [samples] is like speech, from 0 to 1, whatever its level; 0 for silence."""
    missing = max(FRAME + HOP * RHYTHM_FRAMES - len(pcm), 0)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(pcm, (0, missing)), FRAME)[::HOP]
    parts = [_spectra(frames[start : start + AT_ONCE]) for start in range(0, len(frames), AT_ONCE)]
    bands, periodicity, energy = (np.concatenate(column) for column in zip(*parts, strict=True))
    total = energy.sum()
    return _rhythm(np.sqrt(bands)) * float(energy @ periodicity / total) if total > 0 else 0.0


def _spectra(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return power in each band [f, 4], periodicity [f] from 0 to 1 and energy [f] of frames [f, 512]."""
    power = np.abs(np.fft.rfft(frames * _WINDOW, 2 * FRAME)) ** 2
    repeats = np.fft.irfft(power)[:, :FRAME]
    own = repeats[:, 0] / _OWN[0]
    best = (repeats[:, PERIODS] / _OWN[PERIODS]).max(axis=1)
    periodicity = np.divide(best, own, out=np.zeros_like(own), where=own > 0)
    return power @ _IN_BAND.T, np.clip(periodicity, 0, 1), own


def _rhythm(envelopes: np.ndarray) -> float:
    """Return the share of syllables in the fluctuation of envelopes [f, 4], louder stretches counting more."""
    starts = range(0, len(envelopes) - RHYTHM_FRAMES + 1, RHYTHM_FRAMES // 2)
    stretches = np.stack([envelopes[start : start + RHYTHM_FRAMES] for start in starts])
    mean = stretches.mean(axis=1, keepdims=True)
    spectrum = np.abs(np.fft.rfft((stretches - mean) * np.hanning(RHYTHM_FRAMES)[:, None], axis=1)) ** 2
    hz = np.fft.rfftfreq(RHYTHM_FRAMES, HOP / SAMPLE_RATE_HZ)
    syllables = (hz >= SYLLABLES_HZ[0]) & (hz <= SYLLABLES_HZ[1])
    within, all_ = spectrum[:, syllables].sum(axis=1), spectrum.sum(axis=1)
    share = np.sqrt(np.divide(within, all_, out=np.zeros_like(all_), where=all_ > 0)).mean(axis=1)
    weights = mean.mean(axis=(1, 2))
    return float(share @ weights / weights.sum()) if weights.sum() > 0 else 0.0
