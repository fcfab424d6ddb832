"""What a face looks like, for telling whether a person who comes back is one who left: texture of the aligned crop.

Histograms of local binary patterns over a grid (Ahonen, Hadid and Pietikäinen 2006, "Face description with local binary
patterns", IEEE TPAMI): of each pixel, which of its eight neighbours are lighter. They do not change with brightness or
contrast; pose, expression and strong shadows do change them. Enough for the few people of one clip filmed in one light,
too weak to recognise anybody across clips, and not used for that: the vectors never leave the step.
"""

from __future__ import annotations

import cv2
import numpy as np
from skimage.feature import local_binary_pattern

SIDE_PX = 64
"""Crops are looked at in this size: finer texture is noise of the camera and the codec."""
GRID = 8
"""Histograms are of GRID x GRID cells of 8 px: where on the face a pattern is counts as well."""
NEIGHBOURS = 8
RADIUS_PX = 2
PATTERNS = NEIGHBOURS * (NEIGHBOURS - 1) + 3
"""59 bins: one for each pattern that changes at most twice around the circle, and one for all others."""
WIDTH = GRID * GRID * PATTERNS
MIN_CONTRAST = 4.0
"""A crop whose grey levels deviate by less is blank, or a blur: it looks like nobody."""


def describe(crops: np.ndarray) -> np.ndarray:
    """Return the appearance of aligned faces UINT8 [m, side, side, 3]: f32 [m, WIDTH] of unit length, 0 for a blank."""
    small = [cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for crop in crops]
    greys = np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in small])
    patterns = np.stack([_patterns(grey) for grey in greys])
    cell = np.arange(SIDE_PX) * GRID // SIDE_PX
    place = (cell[:, None] * GRID + cell) * PATTERNS
    flat = patterns + place + (np.arange(len(crops)) * WIDTH)[:, None, None]
    counts = np.bincount(flat.ravel(), minlength=len(crops) * WIDTH).reshape(len(crops), WIDTH)
    roots = np.sqrt(counts / (SIDE_PX * SIDE_PX))  # the product of roots is Bhattacharyya's likeness of histograms
    textured = greys.std(axis=(1, 2)) >= MIN_CONTRAST
    return (roots * textured[:, None]).astype(np.float32)


def likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how alike appearances [a, WIDTH] and [b, WIDTH] are: [a, b] from 0 to 1 (Bhattacharyya 1943)."""
    return one @ other.T


def _patterns(grey: np.ndarray) -> np.ndarray:
    """Return the number of the pattern around each pixel of a picture [h, w], the edge continued: int [h, w]."""
    padded = np.pad(grey, RADIUS_PX, mode="edge")
    patterns = local_binary_pattern(padded, NEIGHBOURS, RADIUS_PX, method="nri_uniform")
    return patterns[RADIUS_PX:-RADIUS_PX, RADIUS_PX:-RADIUS_PX].astype(np.int64)
