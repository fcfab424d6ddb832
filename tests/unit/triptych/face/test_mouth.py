"""Mouths that move, and mouths that do not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from triptych.face import mouth
from triptych_client.contract import FACE_PX


def drawn(opened: float = 0.0, brows: float = 0.0) -> np.ndarray:
    """A drawn face UINT8 [112, 112, 3] with a mouth that is open so far and raised brows, in pixels."""
    face = np.full((FACE_PX, FACE_PX, 3), 170, np.uint8)
    for x in (36, 76):
        cv2.circle(face, (x, 42), 5, (40, 40, 40), -1)
        cv2.line(face, (x - 8, round(32 - brows)), (x + 8, round(32 - brows)), (60, 50, 40), 3)
    cv2.line(face, (56, 48), (56, 65), (130, 120, 110), 3)
    cv2.ellipse(face, (56, 85), (15, round(2 + opened)), 0, 0, 360, (110, 30, 40), -1)
    return face


def filmed(face: np.ndarray, seed: int) -> np.ndarray:
    """The face as a camera in a hand sees it: moved, turned, darker, with noise."""
    random = np.random.default_rng(seed)
    turn = cv2.getRotationMatrix2D((56, 56), random.normal(0, 1.5), random.normal(1, 0.02))
    turn[:, 2] += random.normal(0, 1.0, 2)
    moved = cv2.warpAffine(face, turn, (FACE_PX, FACE_PX), borderMode=cv2.BORDER_REPLICATE)
    return (moved * random.uniform(0.8, 1) + random.normal(0, 2, moved.shape)).clip(0, 255).astype(np.uint8)


def moved(*crops: np.ndarray, step_s: float = 0.5) -> np.ndarray:
    times = np.arange(len(crops)) * step_s
    return mouth.movements(np.zeros(len(crops), int), times, lambda face: crops[face])


def test_a_mouth_that_opens_and_closes_moves():
    speaker = [filmed(drawn(opened), seed) for seed, opened in enumerate([0, 6, 2, 8, 0, 5, 9, 1])]
    poster = [filmed(drawn(), seed) for seed in range(8)]
    surprised = [filmed(drawn(brows=brows), seed) for seed, brows in enumerate([0, 6, 0, 6, 0, 6, 0, 6])]
    assert np.nanmean(moved(*speaker)) > 0.05
    assert np.nanmean(moved(*poster)) < 0.005
    assert np.nanmean(moved(*surprised)) < 0.005


def test_a_picture_that_stands_does_not_move():
    assert moved(drawn(), drawn(), drawn())[1:] == pytest.approx(0, abs=1e-5)


def test_the_first_face_of_each_person_and_one_after_an_absence_are_unknown():
    crops = [drawn(), drawn(8)] * 3
    tracks, times = np.array([0, 1, 0, 1, 0, 0]), np.array([0, 0, 0.5, 0.5, 9, 9.5])
    found = mouth.movements(tracks, times, lambda face: crops[face])
    assert np.isnan(found).tolist() == [True, True, False, False, True, False]
    assert found[5] > 0.05


@pytest.mark.parametrize("level", [0, 128])
def test_a_blank_crop_does_not_move(level: int):
    blank = np.full((FACE_PX, FACE_PX, 3), level, np.uint8)
    assert moved(blank, drawn(), blank)[1:] == pytest.approx(0, abs=2)
    assert np.isfinite(moved(blank, drawn(), blank)[1:]).all()
