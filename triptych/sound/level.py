"""How loud the sound of a clip is, and the gain that lets no recording's level decide what is heard in it.

The models that listen were made with sound at usual levels, and their features have floors: a whisper into a distant
microphone lies below them. So what is quiet is raised, before anything else is made of it, to the level of quiet
recordings; what stands out from nothing is noise, and is not raised to the level of speech.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from triptych_client.contract import SAMPLE_RATE_HZ

FRAME_SAMPLES = SAMPLE_RATE_HZ // 20
"""50 ms: a syllable lasts 200, so some frames lie within the loud part of one, and some in the pauses between words."""

LOUD_FRAMES = 10
"""Sound is as loud as its loudest half second, the pauses and the silence around it left out: a click is shorter."""

NEIGHBOURS = 20
"""The background is the quietest frame within a second of each loud one: words are never further from a pause."""

TARGET_DB = -30.0
"""Where quiet sound is raised to: the quietest of the recordings that the models were measured with are there."""

BACKGROUND_DB = -50.0
"""The background is not raised above it: it is the level of a quiet room in a recording of usual loudness."""

STANDS_OUT_DB = 10.0
"""Speech is at least so far above its background, even in babble; steady noise varies by less."""

QUIET_DB = -60.0
SILENT_DB = -84.0
"""Silence: no sample above two steps of 16 bits, or nothing that is QUIET stands out from its background."""

_NOTHING_DB = -140.0


class Level(NamedTuple):
    """Of sound, in dB of full scale: its loudest half second, the background of that, and its largest sample."""

    loud_db: float
    background_db: float
    peak_db: float

    @property
    def silent(self) -> bool:
        """Whether there is nothing to hear."""
        return self.peak_db < SILENT_DB or (
            self.loud_db < QUIET_DB and self.loud_db - self.background_db < STANDS_OUT_DB
        )

    @property
    def gain_db(self) -> float:
        """What to raise the sound by: never so far that it is clipped; negative where it is beyond full scale."""
        wanted_db = max(0.0, min(TARGET_DB - self.loud_db, BACKGROUND_DB - self.background_db))
        return min(wanted_db, -self.peak_db)


def measure(pcm: np.ndarray) -> Level:
    """Measure sound FP32 [samples] of any length."""
    if len(pcm) == 0:
        return Level(_NOTHING_DB, _NOTHING_DB, _NOTHING_DB)
    whole = pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    frames = whole if len(whole) else pcm[None]
    levels = _decibels(np.sqrt(np.einsum("fs,fs->f", frames, frames, dtype=np.float64) / frames.shape[1]))
    loud = np.argsort(levels)[::-1][: min(LOUD_FRAMES, (len(levels) + 1) // 2)]
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(levels, NEIGHBOURS, constant_values=np.inf), 2 * NEIGHBOURS + 1
    )
    background = float(np.median(around[loud].min(axis=1)))
    return Level(float(levels[loud[-1]]), background, float(_decibels(np.abs(pcm).max())))


def levelled(pcm: np.ndarray, measured: Level | None = None) -> np.ndarray:
    """Return sound FP32 [samples] of any range at the level that it is to be heard at, within [-1, 1]."""
    gain_db = (measured or measure(pcm)).gain_db
    return np.clip(pcm * np.float32(10 ** (gain_db / 20)), -1, 1)


def _decibels(amplitude: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.maximum(amplitude, 10 ** (_NOTHING_DB / 20)))
