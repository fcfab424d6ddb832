"""Cutting faces out of frames, upright and of one size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from triptych.errors import TriptychError
from triptych.face import crop
from triptych.media.limits import Limits
from triptych_client.contract import FACE_PX, MAX_FACES_PER_FRAME


def detections(*frames: list[tuple[float, float, float, float]], rate_hz: float = 2) -> crop.DetectedFrames:
    """Frames of 640 x 360 with faces given as (x, y, height, score), their landmarks where a face has them."""
    shape = (len(frames), MAX_FACES_PER_FRAME)
    made = crop.DetectedFrames(
        np.zeros((len(frames), 360, 640, 3), np.uint8),
        np.arange(len(frames), dtype=np.float32) / rate_hz,
        np.zeros((*shape, 4), np.float32),
        np.zeros(shape, np.float32),
        np.zeros((*shape, 5, 2), np.float32),
        source_size=(1280, 720),
    )
    for frame, people in enumerate(frames):
        for place, (x, y, height, score) in enumerate(people):
            made.boxes[frame, place] = x - 0.4 * height, y - height / 2, x + 0.4 * height, y + height / 2
            made.landmarks[frame, place] = (crop.TEMPLATE - FACE_PX / 2) * height / FACE_PX + (x, y)
            made.scores[frame, place] = score
    return made


def test_times_tracks_and_boxes_of_a_clip():
    found = crop.crop_all(detections([(100, 100, 80, 0.9)], [(400, 200, 60, 0.8), (110, 100, 80, 0.9)]), most=9)
    assert found.count.tolist() == [3]
    assert found.times.tolist() == [0, 0.5, 0.5]
    assert found.tracks.tolist() == [0, 1, 0]
    assert found.crops.shape == (3, FACE_PX, FACE_PX, 3)
    assert found.boxes[0] == pytest.approx([136, 120, 264, 280])
    assert found.scores == pytest.approx([0.9, 0.8, 0.9])


def test_no_face_is_one_blank_row_with_count_0():
    found = crop.crop_all(detections([], []), most=9)
    assert found.count.tolist() == [0]
    assert [len(rows) for rows in (found.crops, found.times, found.tracks, found.boxes, found.scores)] == [1] * 5
    assert not found.crops.any()


def test_a_blank_stand_in_frame_has_no_faces():
    made = detections([(100, 100, 80, 0.9)])
    made.times[:] = np.nan
    assert crop.crop_all(made, most=9).count.tolist() == [0]


def test_scores_that_are_no_numbers_are_not_taken_for_no_face():
    made = detections([(100, 100, 80, 0.9)])
    made.scores[:] = np.nan
    with pytest.raises(TriptychError, match="the step before failed"):
        crop.crop_all(made, most=9)
    assert crop.untold().count.tolist() == [-1]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_box_that_is_no_place_is_no_face(number: float):
    made = detections([(100, 100, 80, 0.9), (400, 200, 60, 0.8)])
    made.boxes[0, 0, 2] = number
    found = crop.crop_all(made, most=9)
    assert found.scores == pytest.approx([0.8])


ANNA, ANNA_TURNED, BORIS = np.random.default_rng(3).integers(0, 256, (3, 60, 60, 3), np.uint8)


def filmed(rate_hz: float) -> crop.DetectedFrames:
    """Ten seconds: Anna walks, missed for a second while she turns; Boris leaves for three and comes back elsewhere."""
    frames, pictures = [], []
    for time in np.arange(10 * rate_hz) / rate_hz:
        anna = [(100 + 30 * time, 100, 80, 0.9)] if not 2 <= time < 3 else []
        boris = [(400, 250, 60, 0.8)] if time < 4 else [(560, 220, 60, 0.8)] if time >= 7 else []
        frames.append(anna + boris)
        picture = np.zeros((360, 640, 3), np.uint8)
        looks = [*((one, ANNA if time < 2 else ANNA_TURNED) for one in anna), *((one, BORIS) for one in boris)]
        for (x, y, height, _), face in looks:
            left, top = round(x) - height // 2, round(y) - height // 2
            picture[top : top + height, left : left + height] = cv2.resize(face, (height, height))
        pictures.append(picture)
    made = detections(*frames, rate_hz=rate_hz)
    made.frames[:] = pictures
    return made


@pytest.mark.parametrize("rate_hz", [2, 4, 8])
def test_the_people_of_a_clip_are_the_same_at_any_rate_of_sampling(rate_hz: int):
    found = crop.crop_all(filmed(rate_hz), most=256)
    assert found.count[0] == (9 + 7) * rate_hz
    assert set(found.tracks[found.scores > 0.85]) == {0}
    assert set(found.tracks[found.scores < 0.85]) == {1}


def test_too_many_faces_leave_out_the_passers_by():
    person = (100, 100, 80, 0.9)
    found = crop.crop_all(detections([(500, 300, 40, 0.99), person], [person], [person]), most=3)
    assert found.times.tolist() == [0, 0.5, 1]
    assert found.tracks.tolist() == [0, 0, 0]


def test_of_equally_long_tracks_the_larger_face_stays():
    found = crop.crop_all(detections([(500, 300, 40, 0.99), (100, 100, 80, 0.9)]), most=1)
    assert found.scores == pytest.approx([0.9])


def test_the_limit_is_also_that_of_the_expression_batch():
    assert crop.max_faces(Limits(faces=5)) == 5
    assert crop.max_faces(Limits(faces=5000)) == 256


@pytest.mark.parametrize(("angle", "size"), [(0, 1.0), (30, 0.7), (-90, 1.5), (180, 3.0)])
def test_a_turned_face_comes_out_as_it_was(angle: float, size: float):
    upright = cv2.resize(np.random.default_rng(0).integers(0, 256, (7, 7, 3), np.uint8), (FACE_PX, FACE_PX))
    turn = cv2.getRotationMatrix2D((FACE_PX / 2, FACE_PX / 2), angle, size)
    turn[:, 2] += 200 - FACE_PX / 2
    frame = cv2.warpAffine(upright, crop._between_centres(turn), (400, 400))
    landmarks = crop.TEMPLATE @ turn[:, :2].T + turn[:, 2]
    box = np.array([200, 200, 200, 200]) + np.array([-0.4, -0.5, 0.4, 0.5]) * size * FACE_PX
    inner = slice(14, -14)
    difference = crop.align(frame, landmarks, box)[inner, inner].astype(int) - upright[inner, inner]
    assert np.abs(difference).mean() < 6


def test_the_similarity_is_exact_for_exact_points():
    turn = np.array([[0.8, -0.6, 5], [0.6, 0.8, -7]])
    points = crop.TEMPLATE @ turn[:, :2].T + turn[:, 2]
    assert crop.similarity(crop.TEMPLATE, points) == pytest.approx(turn)


@pytest.mark.parametrize(
    "landmarks", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.full((5, 2), 150.0), crop.TEMPLATE * 20]
)
def test_impossible_landmarks_are_replaced_by_the_box(landmarks: np.ndarray):
    box = np.array([100.0, 100, 180, 200])
    placed = crop.placement(landmarks, box)
    assert placed[:, :2] == pytest.approx(np.eye(2) * FACE_PX * crop.BOX_HEIGHT / 100)
    assert placed @ [140, 150, 1] == pytest.approx([FACE_PX / 2, FACE_PX / 2])


NUMBERS = st.floats(-2000, 2000, width=32)


@settings(deadline=None)  # a machine that also trains is slow now and then
@given(npst.arrays(np.float32, (5, 2), elements=NUMBERS), npst.arrays(np.float32, 4, elements=NUMBERS))
def test_any_detection_gives_a_crop(landmarks: np.ndarray, box: np.ndarray):
    aligned = crop.align(np.full((36, 64, 3), 77, np.uint8), landmarks, box)
    assert aligned.shape == (FACE_PX, FACE_PX, 3)
    assert np.abs(aligned.astype(int) - 77).max() <= 1
