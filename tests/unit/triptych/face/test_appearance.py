"""The look of a face: the same in other light, another for another face, nobody's for a blank crop."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from triptych.face import appearance
from triptych_client import contract
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


def looks(*faces: np.ndarray, around: list[tuple[int, int, int]]) -> appearance.Looks:
    coloured = [np.full((40, 40, 3), colour, np.uint8) for colour in around]
    return appearance.Looks(lambda number: faces[number], lambda number: coloured[number])


BLUE, NEARLY_BLUE, GREEN = (20, 60, 200), (24, 60, 200), (40, 180, 60)


def test_a_cut_changes_the_colours_around_a_face_and_the_face():
    two = looks(face(0), face(1), face(0), around=[BLUE, GREEN, GREEN])
    assert two.is_cut(0, 1), "somebody else, elsewhere"
    assert not two.is_cut(0, 2), "the same person: the camera moves, or the light is switched on"
    assert not looks(face(0), face(1), around=[BLUE, NEARLY_BLUE]).is_cut(0, 1), "a face that turns in its place"


def test_a_mirror_image_looks_alike():
    one = looks(face(0), face(0)[:, ::-1], face(1), around=[BLUE] * 3)
    assert one.alike([0, 0], [1, 2]) == pytest.approx(np.array([[1, 0.5], [1, 0.5]]), abs=0.2)


def test_looks_can_be_numbered_anew():
    few = looks(face(0), face(1), face(0), around=[BLUE, GREEN, BLUE]).of([2, 1])
    assert few.alike([0], [0])[0, 0] == pytest.approx(1, abs=1e-5)
    assert few.is_cut(0, 1)


@pytest.mark.parametrize("box", [(0, 0, 10, 10), (90, 90, 200, 300), (-500, -500, -300, -300), (5, 5, 5, 5)])
def test_around_any_box_is_some_of_the_picture(box: tuple[int, ...]):
    part = appearance.around(np.zeros((100, 120, 3), np.uint8), np.array(box, float))
    assert min(part.shape) >= 1
    assert appearance.colours(part) @ appearance.colours(part) == pytest.approx(1)


def test_histograms_are_what_the_contract_says_and_what_looks_are_made_of():
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    crops[1] = 128
    counted = appearance.histograms(crops)
    assert appearance.WIDTH == contract.LOOK_COUNTS
    assert counted.dtype == np.uint8
    assert counted[0].reshape(64, 59).sum(axis=1).tolist() == [64] * 64
    assert not counted[1].any()
    assert np.allclose(appearance.describe(crops), np.sqrt(counted / 4096), atol=1e-6)
