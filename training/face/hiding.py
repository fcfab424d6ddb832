"""Hides faces: masks, hands, sunglasses and other things drawn over grey faces, for learning to see that they are.

A face is UINT8 [48, 48], framed as FER2013's: eyes near row 18, the mouth near row 36.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

SIDE_PX = 48
MIDDLE = SIDE_PX // 2
EDGE_PX = 0.6
"""Standard deviation of the blur of what is drawn: pictures have no hard edges."""

MOUTH_ROW, EYES_ROW = 37, 18
MOUTH_BOX, EYES_BOX = (30, 46, 10, 38), (11, 25, 6, 42)
"""First and last row and column."""

ON = (1,)

Random = np.random.Generator


def mask(face: np.ndarray, random: Random) -> np.ndarray:
    """Return the face behind a mask from the nose down, of any grey, with some folds."""
    top = 27 + random.normal(0, 2)
    corners = [[4, top], [MIDDLE, top - 3], [44, top], [42, 40], [33, 50], [15, 50], [6, 40]]
    moved = np.array(corners) + random.normal(0, 1.5, (len(corners), 2))
    shape = cv2.fillPoly(_nothing(), [moved.round().astype(np.int32)], ON)
    worn = _painted(face, shape, random.uniform(20, 250), random.uniform(3, 15), random)
    for _ in range(random.integers(0, 4)):
        row, grey = int(random.uniform(31, 44)), float(np.clip(worn[35, MIDDLE] + random.normal(0, 15), 0, 255))
        worn = cv2.line(worn, (8, row), (40, row + int(random.normal(0, 1.5))), (grey,), 1)
    return worn


def sunglasses(face: np.ndarray, random: Random) -> np.ndarray:
    """Return the face behind dark glasses."""
    shape, radius, row = _nothing(), random.uniform(6, 9.5), round(18.5 + random.normal(0, 1))
    size = (round(radius), round(radius * random.uniform(0.65, 1)))
    for column in (15.5, 32.5):
        cv2.ellipse(shape, (round(column + random.normal(0, 0.7)), row), size, 0, 0, 360, ON, -1)
    for start, end in (((15, row), (33, row)), ((0, row - 1), (10, row)), ((38, row), (47, row - 1))):
        cv2.line(shape, start, end, ON, 1)
    return _painted(face, shape, random.uniform(0, 70), random.uniform(2, 14), random)


def hand(face: np.ndarray, row: float, random: Random) -> np.ndarray:
    """Return the face behind two to four fingers of its own grey, across some row, at any slant."""
    skin = float(np.median(face[14:40, 10:38])) * random.uniform(0.75, 1.15)
    slant, width, length = np.radians(random.uniform(-60, 60)), random.uniform(4, 7), random.uniform(16, 30)
    along, fingers = np.array([np.cos(slant), np.sin(slant)]), int(random.integers(2, 5))
    middle = np.array([MIDDLE + random.normal(0, 3), row])
    for finger in range(fingers):
        root = middle + np.array([-along[1], along[0]]) * (finger - (fingers - 1) / 2) * width - along * length / 2
        tip = root + along * length * random.uniform(0.9, 1.5)
        ends = [tuple(place.round().astype(int).tolist()) for place in (root, tip)]
        shape = cv2.line(_nothing(), ends[0], ends[1], ON, max(2, round(width)))
        shadow = cv2.dilate(shape, np.ones((3, 3), np.uint8)) - shape
        face = _painted(face, shadow, skin * 0.75, 4, random)
        face = _painted(face, shape, skin * random.uniform(0.95, 1.05), random.uniform(2, 8), random)
    return face


def thing(face: np.ndarray, box: Sequence[int], others: np.ndarray, random: Random) -> np.ndarray:
    """Return the face with a piece of any other picture of `others` [n, 48, 48] over a box."""
    top, bottom, left, right = (round(end + random.normal(0, 2)) for end in box)
    grown = cv2.resize(others[random.integers(len(others))], None, fx=2.5, fy=2.5)
    row, column = random.integers(0, grown.shape[0] - SIDE_PX, 2)
    piece = np.roll(grown[row : row + SIDE_PX, column : column + SIDE_PX], random.integers(SIDE_PX), axis=0)
    return np.where(_soft(cv2.rectangle(_nothing(), (left, top), (right, bottom), ON, -1)) > 0.5, piece, face)


def framed(face: np.ndarray, random: Random) -> np.ndarray:
    """Return the face as a detector frames it: a little turned, moved, larger, mirrored or blurred."""
    turn = cv2.getRotationMatrix2D((MIDDLE, MIDDLE), random.normal(0, 7), random.normal(1, 0.06))
    turn[:, 2] += random.normal(0, 1.2, 2)
    face = cv2.warpAffine(face, turn, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
    if random.random() < 0.3:
        face = cv2.GaussianBlur(face, (0, 0), random.uniform(0.3, 1))
    return face[:, ::-1].copy() if random.random() < 0.5 else face


def _nothing() -> np.ndarray:
    return np.zeros((SIDE_PX, SIDE_PX), np.uint8)


def _soft(shape: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(shape.astype(np.float32), (0, 0), EDGE_PX)


def _painted(face: np.ndarray, shape: np.ndarray, grey: float, uneven: float, random: Random) -> np.ndarray:
    """Return the face with a shape [48, 48] of 0 and 1 painted in a grey that varies smoothly."""
    coarse = random.normal(0, 1, (int(random.integers(2, 7)),) * 2).astype(np.float32)
    paint = grey + uneven * cv2.resize(coarse, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    soft = _soft(shape)
    return np.clip(face * (1 - soft) + paint * soft, 0, 255).astype(np.uint8)
