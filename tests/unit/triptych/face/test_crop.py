"""Cutting faces out of frames, upright and of one size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from triptych.face import crop as faces
from triptych.media.limits import Limits
from triptych_client.contract import FACE_PX, MAX_FACES_PER_FRAME

CLIP = np.array([2.0, 1280, 720, 25, 1, 1], np.float32)


def detections(*frames: list[tuple[float, float, float, float]]) -> dict[str, np.ndarray]:
    """Frames of 640 x 360 with faces given as (x, y, height, score), their landmarks where a face has them."""
    shape = (len(frames), MAX_FACES_PER_FRAME)
    made = {
        "clip": CLIP,
        "frames": np.zeros((len(frames), 360, 640, 3), np.uint8),
        "frame_times": np.arange(len(frames), dtype=np.float32) / 2,
        "boxes": np.zeros((*shape, 4), np.float32),
        "scores": np.zeros(shape, np.float32),
        "landmarks": np.zeros((*shape, 5, 2), np.float32),
    }
    for frame, people in enumerate(frames):
        for place, (x, y, height, score) in enumerate(people):
            made["boxes"][frame, place] = x - 0.4 * height, y - height / 2, x + 0.4 * height, y + height / 2
            made["landmarks"][frame, place] = (faces.TEMPLATE - FACE_PX / 2) * height / FACE_PX + (x, y)
            made["scores"][frame, place] = score
    return made


def test_times_tracks_and_boxes_of_a_clip():
    found = faces.crop_all(**detections([(100, 100, 80, 0.9)], [(400, 200, 60, 0.8), (110, 100, 80, 0.9)]), max_faces=9)
    assert found.count.tolist() == [3]
    assert found.times.tolist() == [0, 0.5, 0.5]
    assert found.tracks.tolist() == [0, 1, 0]
    assert found.crops.shape == (3, FACE_PX, FACE_PX, 3)
    assert found.boxes[0] == pytest.approx([136, 120, 264, 280])
    assert found.scores == pytest.approx([0.9, 0.8, 0.9])


def test_no_face_is_one_blank_row_with_count_0():
    found = faces.crop_all(**detections([], []), max_faces=9)
    assert found.count.tolist() == [0]
    assert [len(rows) for rows in (found.crops, found.times, found.tracks, found.boxes, found.scores)] == [1] * 5
    assert not found.crops.any()


def test_a_blank_stand_in_frame_has_no_faces():
    made = detections([(100, 100, 80, 0.9)])
    made["frame_times"][:] = np.nan
    assert faces.crop_all(**made, max_faces=9).count.tolist() == [0]


def test_too_many_faces_leave_out_the_passers_by():
    person = (100, 100, 80, 0.9)
    found = faces.crop_all(**detections([(500, 300, 40, 0.99), person], [person], [person]), max_faces=3)
    assert found.times.tolist() == [0, 0.5, 1]
    assert found.tracks.tolist() == [0, 0, 0]


def test_of_equally_long_tracks_the_larger_face_stays():
    found = faces.crop_all(**detections([(500, 300, 40, 0.99), (100, 100, 80, 0.9)]), max_faces=1)
    assert found.scores == pytest.approx([0.9])


def test_the_limit_is_also_that_of_the_expression_batch():
    assert faces.most(Limits(faces=5)) == 5
    assert faces.most(Limits(faces=5000)) == 256


@pytest.mark.parametrize(("angle", "size"), [(0, 1.0), (30, 0.7), (-90, 1.5), (180, 3.0)])
def test_a_turned_face_comes_out_as_it_was(angle: float, size: float):
    upright = cv2.resize(np.random.default_rng(0).integers(0, 256, (7, 7, 3), np.uint8), (FACE_PX, FACE_PX))
    turn = cv2.getRotationMatrix2D((FACE_PX / 2, FACE_PX / 2), angle, size)
    turn[:, 2] += 200 - FACE_PX / 2
    frame = cv2.warpAffine(upright, faces._between_centres(turn), (400, 400))
    landmarks = faces.TEMPLATE @ turn[:, :2].T + turn[:, 2]
    box = np.array([200, 200, 200, 200]) + np.array([-0.4, -0.5, 0.4, 0.5]) * size * FACE_PX
    inner = slice(14, -14)
    difference = faces.align(frame, landmarks, box)[inner, inner].astype(int) - upright[inner, inner]
    assert np.abs(difference).mean() < 6


def test_the_similarity_is_exact_for_exact_points():
    turn = np.array([[0.8, -0.6, 5], [0.6, 0.8, -7]])
    points = faces.TEMPLATE @ turn[:, :2].T + turn[:, 2]
    assert faces.similarity(faces.TEMPLATE, points) == pytest.approx(turn)


@pytest.mark.parametrize(
    "landmarks", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), 150.0), faces.TEMPLATE * 20]
)
def test_impossible_landmarks_are_replaced_by_the_box(landmarks: np.ndarray):
    box = np.array([100.0, 100, 180, 200])
    placed = faces.placement(landmarks, box)
    assert placed[:, :2] == pytest.approx(np.eye(2) * FACE_PX * faces.BOX_HEIGHT / 100)
    assert placed @ [140, 150, 1] == pytest.approx([FACE_PX / 2, FACE_PX / 2])


NUMBERS = st.floats(-2000, 2000, width=32)


@settings(deadline=None)  # a machine that also trains is slow now and then
@given(npst.arrays(np.float32, (5, 2), elements=NUMBERS), npst.arrays(np.float32, 4, elements=NUMBERS))
def test_any_detection_gives_a_crop(landmarks: np.ndarray, box: np.ndarray):
    crop = faces.align(np.full((36, 64, 3), 77, np.uint8), landmarks, box)
    assert crop.shape == (FACE_PX, FACE_PX, 3)
    assert np.abs(crop.astype(int) - 77).max() <= 1
