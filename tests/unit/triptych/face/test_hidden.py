"""How much of a face is seen: with a mask, sunglasses, a hand, or blurred."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
import pytest

from triptych.face import crop, hidden
from triptych.media.probe import Limits, probe
from triptych.media.video import decode
from triptych_client.contract import FACE_PX

Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def faces(weights: Callable[[str], Path], repository: Path) -> np.ndarray:
    """Aligned faces of the demo video, in its first seconds: nothing hides them."""
    data = (weights("demo-video") / "WolfgangLanger_Pexels.mp4").read_bytes()
    facts = probe(data, Limits())
    frames = decode(data, facts.planned_times[:6])
    session = ort.InferenceSession(repository / "face_detector" / "1" / "model.onnx")
    boxes, scores, landmarks = map(np.asarray, session.run(["BOXES", "SCORES", "LANDMARKS"], {"FRAMES": frames.frames}))
    seen = crop.DetectedFrames(frames.frames, frames.times, boxes, scores, landmarks, (640, 360))
    return crop.crop_all(seen, 99).crops


def masked(face: np.ndarray) -> np.ndarray:
    corners = np.array([[12, 62], [56, 54], [100, 62], [98, 95], [78, 112], [34, 112], [14, 95]])
    return cv2.fillPoly(face.copy(), [corners], (150, 180, 200))


def with_sunglasses(face: np.ndarray) -> np.ndarray:
    worn = cv2.line(face.copy(), (30, 40), (82, 40), (15, 15, 15), 3)
    for column in (36, 76):
        cv2.ellipse(worn, (column, 43), (19, 15), 0, 0, 360, (20, 20, 25), -1)
    return worn


def behind_a_hand(face: np.ndarray) -> np.ndarray:
    skin = tuple(int(level) for level in np.median(face[30:70, 25:85], axis=(0, 1)))
    for finger in range(4):
        row = 68 + 12 * finger
        cv2.line(face := face.copy(), (20, row + 4), (92, row), tuple(int(0.7 * level) for level in skin), 14)
        cv2.line(face, (20, row + 4), (92, row), skin, 10)
    return face


def blurred(face: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(face, (0, 0), 6)


@pytest.mark.parametrize("hide", [masked, with_sunglasses, behind_a_hand, blurred])
def test_what_hides_a_face_is_seen(faces: np.ndarray, hide: Change):
    assert (hidden.visible(np.stack([hide(face) for face in faces])) < 0.5).all()


@pytest.mark.parametrize(
    "change",
    [
        np.copy,
        lambda face: face[:, ::-1],
        lambda face: (0.5 * face + 20).astype(np.uint8),
        lambda face: cv2.GaussianBlur(face, (0, 0), 1),
    ],
)
def test_a_face_that_is_not_hidden_is_all_seen(faces: np.ndarray, change: Change):
    assert hidden.visible(np.stack([change(face) for face in faces])) == pytest.approx(1)


def at(side_px: int, faces: np.ndarray) -> np.ndarray:
    """The faces as they are when they are so small in the frame."""
    small = [cv2.resize(face, (side_px, side_px), interpolation=cv2.INTER_AREA) for face in faces]
    return np.stack([cv2.resize(face, (FACE_PX, FACE_PX)) for face in small])


def test_a_small_face_is_all_seen_and_a_tiny_one_partly(faces: np.ndarray):
    assert hidden.visible(at(40, faces)) == pytest.approx(1)
    assert (hidden.visible(at(16, faces)) < 0.6).all()


def test_a_blank_crop_shows_next_to_nothing_and_none_is_none():
    blank = np.full((1, FACE_PX, FACE_PX, 3), 90, np.uint8)
    assert hidden.visible(blank) == pytest.approx(hidden.LEAST)
    assert hidden.visible(np.zeros((0, FACE_PX, FACE_PX, 3), np.uint8)).shape == (0,)
