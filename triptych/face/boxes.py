"""Boxes in pictures: arrays [k, 4] of x1, y1, x2, y2 in pixels, as everywhere in Triptych."""

from __future__ import annotations

import numpy as np


def sides(boxes: np.ndarray) -> np.ndarray:
    """Return width and height of each box: [k, 2], 0 for a box that is inside out."""
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 0)


def areas(boxes: np.ndarray) -> np.ndarray:
    """Return the area of each box: [k]."""
    return sides(boxes).prod(axis=1)


def centres(boxes: np.ndarray) -> np.ndarray:
    """Return the middle of each box: [k, 2]."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each box of `one` [a, 4] with each of `other` [b, 4]: [a, b] in [0, 1]."""
    top_left = np.maximum(one[:, None, :2], other[None, :, :2])
    bottom_right = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.maximum(bottom_right - top_left, 0).prod(axis=2)
    union = areas(one)[:, None] + areas(other)[None] - shared
    return np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)


def scaled(boxes: np.ndarray, size: tuple[float, float], to: tuple[float, float]) -> np.ndarray:
    """Return boxes of a picture of `size` (width, height) as boxes of the same picture at size `to`, kept inside it."""
    factor = np.array([to[0] / size[0], to[1] / size[1]] * 2)
    return np.clip(boxes * factor, 0, [*to, *to])
