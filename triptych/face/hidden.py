"""How much of a face can be seen: what a mask, a hand or sunglasses hide, and what is blurred.

A network of expressions answers to any picture, and of a hidden mouth it makes one of its own. So each face is
weighed by how much of it is there: two logistic regressions on histograms of oriented gradients (Dalal and Triggs 2005)
tell whether the eyes, or the mouth, are hidden, and the share of fine detail tells blur. Made by
`python -m training.face.hidden`; hidden.md says how well they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from scipy.special import expit

SIDE_PX = 48
"""Crops are looked at in this size, that of FER2013's pictures."""

CELL_PX, BLOCK_PX, DIRECTIONS = 8, 16, 8

CERTAIN = (0.5, 0.9)
"""A part counts as hidden from the first probability on, and wholly at the second."""

DETAIL = (0.06, 0.11)
"""Standard deviation of what a blur of 1 px takes off, as a share of the picture's: below the first a face is all blur,
above the second as sharp as any. Of FER2013's faces 99 in 100 have 0.14 and more, faces of 30 px in a frame 0.11 to
0.13, of 16 px 0.07 to 0.09."""

LEAST = 0.1
"""Even what is hidden is a face: it weighs a little."""

MIN_CONTRAST = 4.0
"""Grey levels: a blank picture has no detail."""

WEIGHTS = Path(__file__).with_name("hidden.npz")


@dataclass(frozen=True)
class Parts:
    """Tells whether the eyes, and whether the mouth, are hidden: weights [2, 800] and bias [2] of the regressions."""

    weights: np.ndarray
    bias: np.ndarray

    @classmethod
    def read(cls, path: Path) -> Parts:
        """Read what `write` has written."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["weights"].astype(np.float32), stored["bias"])

    def write(self, path: Path) -> None:
        """Write the weights, in 16 bit."""
        np.savez(path, weights=self.weights.astype(np.float16), bias=self.bias)

    def hidden_parts(self, greys: np.ndarray) -> np.ndarray:
        """Return the probability that each part of faces UINT8 [m, 48, 48] is hidden: [m, 2]."""
        return expit(gradients(greys) @ self.weights.T + self.bias)


def visible(crops: np.ndarray) -> np.ndarray:
    """Return how much of each aligned face UINT8 [m, side, side, 3] can be seen: FP32 [m] from LEAST to 1."""
    if len(crops) == 0:
        return np.zeros(0, np.float32)
    greys = [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]
    small = np.stack([cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for grey in greys])
    seen = (1 - _from_to(_published().hidden_parts(small), CERTAIN)).prod(axis=1) * _from_to(detail(small), DETAIL)
    return np.maximum(seen, LEAST).astype(np.float32)


def gradients(greys: np.ndarray) -> np.ndarray:
    """Return the histograms of oriented gradients of pictures UINT8 [m, 48, 48]: FP32 [m, 800]."""
    block, cell = (BLOCK_PX, BLOCK_PX), (CELL_PX, CELL_PX)
    descriptor = cv2.HOGDescriptor((SIDE_PX, SIDE_PX), block, cell, cell, DIRECTIONS)
    return np.stack([np.asarray(descriptor.compute(grey)).ravel() for grey in greys])


def detail(greys: np.ndarray) -> np.ndarray:
    """Return the share of fine detail in pictures UINT8 [m, 48, 48]: [m]."""
    pictures = greys.astype(np.float32)
    fine = np.stack([picture - cv2.GaussianBlur(picture, (0, 0), 1) for picture in pictures])
    return fine.std(axis=(1, 2)) / np.maximum(pictures.std(axis=(1, 2)), MIN_CONTRAST)


def _from_to(values: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Return where values are between two ends: 0 to 1."""
    return np.clip((values - ends[0]) / (ends[1] - ends[0]), 0, 1)


@cache
def _published() -> Parts:
    return Parts.read(WEIGHTS)
