"""A made clip in which a chequered square moves as a face would, and the answer that a server would give for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samples import client as samples
from samples import clips
from triptych_client.results import Analysis

WIDTH, HEIGHT = 320, 180
SECONDS = 6
SIDE = 60
STEP_S = 0.5
GROUND = 90
"""The grey around the square."""


def box_at(time_s: float) -> tuple[float, float, float, float]:
    """Return where the square is: it moves to the right by 20 px a second."""
    x = 40 + 20 * time_s
    return x, 50, x + SIDE, 50 + SIDE


def picture(time_s: float) -> np.ndarray:
    """Return the picture of a time, UINT8 [HEIGHT, WIDTH, 3]."""
    found = np.full((HEIGHT, WIDTH, 3), GROUND, np.uint8)
    x1, y1, x2, y2 = map(round, box_at(time_s))
    found[y1:y2, x1:x2] = 255 * (np.indices((SIDE, SIDE)).sum(0) // 6 % 2)[..., None]
    return found


def write(path: Path, *, turned: bool = False, form: str = "mp4", codec: str = "libx264") -> Path:
    """Write the clip. `turned`: stored lying on its side, with the display matrix that puts it upright."""
    pictures = [picture(index / clips.RATE_HZ) for index in range(SECONDS * clips.RATE_HZ)]
    matrix = None
    if turned:
        pictures = [np.ascontiguousarray(np.rot90(one)) for one in pictures]
        matrix = (0, 1, -1, 0)
    data = clips.make(pictures, clips.tone(SECONDS), form=form, codec=codec, matrix=matrix)
    path.write_bytes(data)
    return path


def answer(path: Path | None, **changes: np.ndarray) -> Analysis:
    """Return the answer for the clip: that of `samples.client`, with faces where the square is."""
    times = np.arange(STEP_S / 2, SECONDS, STEP_S)
    faces = {
        "CLIP": samples.f32([SECONDS, WIDTH, HEIGHT, clips.RATE_HZ, 1, 1]),
        "AUDIO_TRACKS": samples.strings([["1", "", "", "2", "all"]]),
        "FACE_TIMES": samples.f32(times),
        "FACE_TRACKS": np.zeros(len(times), np.int32),
        "FACE_BOXES": samples.f32([box_at(time_s) for time_s in times]),
        "FACE_SCORES": samples.f32(np.ones(len(times))),
        "FACE_PROBABILITIES": samples.f32([samples.SAD] * len(times)),
        "TRACK_SPANS": samples.f32([[times[0], times[-1]]]),
    }
    return samples.analysis(None if path is None else str(path), **{**faces, **changes})


def contrast(pixels: np.ndarray, box: tuple[float, float, float, float]) -> float:
    """Return how far neighbouring pixels inside a box differ: much on a chequered square, little on a hidden one."""
    x1, y1, x2, y2 = map(round, box)
    inside = pixels[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4].astype(float)
    return float(np.abs(np.diff(inside, axis=1)).mean())
