"""How much a mouth moves: the sign of who speaks, and that a face is alive.

Of two aligned crops of one person, half a second apart, the region of the mouth is compared, and that of eyes and nose
as a measure for all else that makes crops differ: the camera, the light, landmarks that tremble, a turn of the head. A
poster's mouth changes as its eyes do; a speaker's far more. Crops are too far apart to see syllables: that somebody
speaks shows in mouths that differ from sample to sample.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np

MOUTH = (slice(72, 106), slice(32, 80))
EYES = (slice(26, 66), slice(24, 88))
"""Rows and columns of an aligned crop (`crop.TEMPLATE`)."""

SHIFT_PX = 4
"""A region is looked for so far around its place: landmarks tremble."""

BLUR_PX = 1.5
"""Standard deviation of the blur that takes off what a codec adds."""

TOGETHER_S = 2.5
"""Faces further apart are not compared: everything has changed."""


def movements(tracks: np.ndarray, times_s: np.ndarray, crop: Callable[[int], np.ndarray]) -> np.ndarray:
    """Return how much each face's mouth has moved since its person's face before, against the rest: FP32 [m].

    0 where it did not, 0.02 to 0.3 on average while somebody speaks; NaN without a face before. Faces are in order of
    time; `crop` returns the aligned crop UINT8 [112, 112, 3] of one of them.
    """
    moved = np.full(len(tracks), np.nan, np.float32)
    for track in np.unique(tracks):
        faces = np.flatnonzero(tracks == track).tolist()
        greys = {face: _grey(crop(face)) for face in faces}
        for before, face in pairwise(faces):
            if times_s[face] - times_s[before] <= TOGETHER_S:
                moved[face] = movement(greys[before], greys[face])
    return moved


def movement(before: np.ndarray, after: np.ndarray) -> float:
    """Return how much more the mouth has changed than the eyes between two grey crops: 0 to 2."""
    return max(0.0, _change(before, after, MOUTH) - _change(before, after, EYES))


def _grey(crop: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), BLUR_PX)


def _change(before: np.ndarray, after: np.ndarray, region: tuple[slice, slice]) -> float:
    """Return 1 minus the correlation of a region with the place near it that was most like it: 0 to 2."""
    rows, columns = (slice(axis.start - SHIFT_PX, axis.stop + SHIFT_PX) for axis in region)
    if after[region].std() < 1e-3 or before[rows, columns].std() < 1e-3:
        return 0.0
    likeness = cv2.matchTemplate(before[rows, columns], after[region], cv2.TM_CCOEFF_NORMED)
    return float(np.clip(1 - likeness.max(), 0, 2))
