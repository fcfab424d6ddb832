"""The look of a face: the same in other light, another for another face, nobody's for a blank crop."""

from __future__ import annotations

import cv2
import numpy as np

from triptych.face import appearance
from triptych_client.contract import FACE_PX


def face(seed: int) -> np.ndarray:
    """Return a crop of smooth random texture, UINT8 [112, 112, 3]."""
    coarse = np.random.default_rng(seed).uniform(60, 190, (14, 14, 1)).astype(np.float32)
    return np.repeat(cv2.resize(coarse, (FACE_PX, FACE_PX), interpolation=cv2.INTER_CUBIC)[..., None], 3, 2).astype(
        np.uint8
    )


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(appearance.likeness(*(appearance.describe(crop[None]) for crop in (one, other)))[0, 0])


def test_a_look_has_unit_length():
    looks = appearance.describe(np.stack([face(0), face(1)]))
    assert looks.shape == (2, appearance.WIDTH)
    np.testing.assert_allclose(np.linalg.norm(looks, axis=1), 1, atol=1e-5)


def test_light_does_not_change_a_look():
    darker = (0.6 * face(0)).astype(np.uint8)
    assert likeness(face(0), darker) > likeness(face(0), face(1)) + 0.1
    assert likeness(face(0), face(0)) > 0.999


def test_a_blank_crop_looks_like_nobody():
    blank = np.full((1, FACE_PX, FACE_PX, 3), 90, np.uint8)
    assert not appearance.describe(blank).any()


def test_every_pattern_has_a_bin():
    noise = np.random.default_rng(2).integers(0, 256, (4, FACE_PX, FACE_PX, 3), np.uint8)
    used = appearance.describe(noise).reshape(-1, appearance.PATTERNS).any(axis=0)
    assert appearance.PATTERNS == 59
    assert used.all()
