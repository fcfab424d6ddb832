"""Films of some seconds, made with PyAV, whose pictures and sounds say when they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samples import clips

KEYS = {"preset": "ultrafast", "sc_threshold": "0"}


def write(path: Path, seconds: int, *, key_every: int = 10, sound: bool = True, **options) -> Path:
    """Write a film: grey pictures, RATE_HZ a second, each lighter than the one before, a key frame every so many."""
    pictures = clips.greys(seconds * clips.RATE_HZ)
    tone = clips.tone(float(seconds)) if sound else None
    path.write_bytes(clips.make(pictures, tone, options={**KEYS, "g": str(key_every)}, **options))
    return path


def write_sound(path: Path, seconds: int) -> Path:
    """Write a film of sound only."""
    path.write_bytes(clips.in_matroska(np.zeros((1, seconds * 16_000), np.float32)))
    return path
