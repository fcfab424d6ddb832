"""What a face looks like, for telling whether a person who comes back is one who left: texture of the aligned crop.

Histograms of local binary patterns over a grid (Ahonen, Hadid and Pietikäinen 2006, "Face description with local binary
patterns", IEEE TPAMI): of each pixel, which of its eight neighbours are lighter. They do not change with brightness or
contrast; pose, expression and strong shadows do change them. Enough for the few people of one clip filmed in one light,
too weak to recognise anybody across clips, and not used for that: the vectors never leave the step.
"""

from __future__ import annotations

import cv2
import numpy as np

SIDE_PX = 64
"""Crops are looked at in this size: finer texture is noise of the camera and the codec."""
GRID = 8
"""Histograms are of GRID x GRID cells of 8 px: where on the face a pattern is counts as well."""
RADIUS = 2
MIN_CONTRAST = 4.0
"""A crop whose grey levels deviate by less is blank, or a blur: it looks like nobody."""
NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


def _uniform_bins() -> np.ndarray:
    """Return the histogram bin of each pattern [256]: its own where it changes at most twice around, else the last."""
    patterns = np.arange(256)
    bits = (patterns[:, None] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    return np.where(uniform, np.cumsum(uniform) - 1, uniform.sum())


BINS = _uniform_bins()
WIDTH = GRID * GRID * (int(BINS.max()) + 1)


def describe(crops: np.ndarray) -> np.ndarray:
    """Return the appearance of aligned faces UINT8 [m, side, side, 3]: f32 [m, WIDTH] of unit length, 0 for a blank."""
    small = [cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for crop in crops]
    greys = np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in small])
    bins = BINS[_patterns(greys)]
    cell = np.arange(SIDE_PX) * GRID // SIDE_PX
    place = (cell[:, None] * GRID + cell) * (BINS.max() + 1)
    flat = bins + place + (np.arange(len(crops)) * WIDTH)[:, None, None]
    counts = np.bincount(flat.ravel(), minlength=len(crops) * WIDTH).reshape(len(crops), WIDTH)
    roots = np.sqrt(counts / (SIDE_PX * SIDE_PX))  # the product of roots is Bhattacharyya's likeness of histograms
    told = greys.std(axis=(1, 2)) >= MIN_CONTRAST
    return (roots * told[:, None]).astype(np.float32)


def likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how alike appearances [a, WIDTH] and [b, WIDTH] are: [a, b] from 0 to 1 (Bhattacharyya 1943)."""
    return one @ other.T


def _patterns(greys: np.ndarray) -> np.ndarray:
    """Return the pattern of each pixel of [m, h, w]: a bit for each neighbour that is as light or lighter."""
    padded = np.pad(greys, ((0, 0), (RADIUS, RADIUS), (RADIUS, RADIUS)), mode="edge")
    height, width = greys.shape[1:]
    patterns = np.zeros(greys.shape, np.uint8)
    for bit, (down, right) in enumerate(NEIGHBOURS):
        top, left = RADIUS * (1 + down), RADIUS * (1 + right)
        patterns |= (padded[:, top : top + height, left : left + width] >= greys).astype(np.uint8) << bit
    return patterns
