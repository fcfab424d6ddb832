"""Cutting faces out of frames, upright and of one size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from triptych.errors import TriptychError
from triptych.face import appearance, crop
from triptych.media.limits import Limits
from triptych_client import contract
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


def shown(*frames: list[tuple[np.ndarray, tuple[float, float, float, float]]]) -> crop.DetectedFrames:
    """Frames of 640 x 360, two a second, with faces at their (x, y, height, score), each before its own background."""
    made = detections(*[[place for _, place in people] for people in frames])
    for frame, people in zip(made.frames, frames):
        for face, (x, y, height, _) in people:
            left, top = round(x) - height // 2, round(y) - height // 2
            frame[:, max(left - height, 0) : left + 2 * height] = face.mean(axis=(0, 1))
            frame[top : top + height, left : left + height] = cv2.resize(face, (height, height))
    return made


def test_a_hard_cut_between_people_framed_alike_makes_as_many_people():
    place = (300, 180, 100, 0.9)
    faces = {"A": ANNA, "B": BORIS // 2, "C": ANNA_TURNED // 2 + 120}
    found = crop.crop_all(shown(*[[(faces[shot], place)] for shot in "AAAAAABBBBBBAAAAAACCCCCC"]), most=99)
    assert found.tracks.tolist() == [0] * 6 + [1] * 6 + [0] * 6 + [2] * 6


def test_who_is_mirrored_after_a_cut_or_beside_himself_is_one():
    left, right, mirrored = (180, 180, 100, 0.9), (460, 180, 90, 0.9), ANNA[:, ::-1]
    cut = crop.crop_all(shown(*[[(ANNA, left)]] * 4, *[[(mirrored, right)]] * 4), most=99)
    assert cut.tracks.tolist() == [0] * 8
    beside = crop.crop_all(shown(*[[(ANNA, left), (mirrored, right)]] * 4), most=99)
    assert (beside.count[0], beside.found[0]) == (4, 4)
    assert beside.boxes[:, 0] == pytest.approx(2 * (180 - 40))
    two = crop.crop_all(shown(*[[(ANNA, left), (BORIS, right)]] * 4), most=99)
    assert two.tracks.tolist() == [0, 1] * 4


@pytest.mark.parametrize(("scores", "kept"), [([0.5, 0.61, 0.77], 0), ([0.6, 0.95, 0.6], 3), ([0.81], 1)])
def test_a_box_that_the_detector_is_never_sure_of_is_nobody_s(scores: list[float], kept: int):
    found = crop.crop_all(detections(*[[(100, 100, 80, score)] for score in scores]), most=9)
    assert (found.count[0], found.found[0]) == (kept, kept)


def crowd(people: int, frames: int) -> crop.DetectedFrames:
    """So many people, side by side, in each of so many frames; the later ones are larger."""
    places = [(40 + 600 * person / people, 180, 20 + person, 0.9) for person in range(people)]
    return detections(*[places] * frames)


def test_of_too_many_faces_everybody_keeps_some_from_the_first_to_the_last():
    found = crop.crop_all(crowd(people=4, frames=40), most=50)
    assert (found.count[0], found.found[0]) == (50, 160)
    assert np.bincount(found.tracks).tolist() in ([13, 13, 12, 12], [12, 12, 13, 13])
    for person in range(4):
        times = found.times[found.tracks == person]
        assert (times[0], times[-1]) == (0, 19.5)
        assert np.diff(times).max() <= 2.0, "evenly"
        assert found.stands_for[found.tracks == person].sum() == 40


def test_who_is_seldom_seen_keeps_all():
    regular, passer = (100, 100, 80, 0.9), (500, 300, 40, 0.99)
    found = crop.crop_all(detections(*[[regular]] * 19, [regular, passer]), most=5)
    assert found.scores.tolist().count(pytest.approx(0.99)) == 1
    assert sorted(found.stands_for[found.tracks == 0]) == [3, 4, 6, 7]


def test_of_too_many_people_those_seen_least_and_smallest_are_left_out():
    person, small = (100, 100, 80, 0.9), (500, 300, 40, 0.99)
    found = crop.crop_all(detections([small, person], [person]), most=1)
    assert found.scores == pytest.approx([0.9])
    assert found.found[0] == 3
    assert crop.crop_all(detections([small, person]), most=1).scores == pytest.approx([0.9])


def test_where_all_are_kept_each_stands_for_itself():
    found = crop.crop_all(crowd(people=3, frames=5), most=256)
    assert (found.count[0], found.found[0]) == (15, 15)
    assert found.stands_for.tolist() == [1] * 15


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 70))
def test_a_choice_is_within_the_limit_and_of_everybody_it_can(people: list[int], most: int):
    _, linked = np.unique(people, return_inverse=True)
    boxes = np.tile([0.0, 0, 9, 9], (len(linked), 1))
    kept, stands_for = crop.chosen(linked, boxes, most)
    assert len(kept) == min(len(linked), most)
    assert (np.diff(kept) > 0).all()
    assert (stands_for > 0).all()
    whose = linked[kept]
    assert len(set(whose)) == min(len(set(linked)), most)
    for track in set(whose):
        assert stands_for[whose == track].sum() == (linked == track).sum()


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


def test_looks_are_told_of_each_person_and_evenly_over_the_clip():
    crops = np.random.default_rng(0).integers(0, 256, (9, 112, 112, 3), dtype=np.uint8)
    tracks = np.array([0, 0, 1, 0, 0, 0, 0, 0, 0], np.int32)
    looks = crop.looks_of(crops, tracks)
    counted = appearance.histograms(crops)
    assert looks.shape == (2, contract.LOOKS_EACH, contract.LOOK_COUNTS)
    assert np.array_equal(looks[0, [0, -1]], counted[[0, 8]])
    assert np.array_equal(looks[1, 0], counted[2])
    assert not looks[1, 1:].any()


@pytest.mark.parametrize("faces", [[], [(100, 100, 80, 0.9)]], ids=["none", "one"])
def test_the_tensors_of_a_clip_s_faces_are_the_step_s_outputs(faces: list[tuple[float, float, float, float]]):
    tensors = crop.crop_all(detections(faces), most=9).tensors()
    assert list(tensors) == [output.name for output in contract.STEPS["face_crop"].outputs]
    assert all(tensors[output.name].ndim == len(output.dims) for output in contract.STEPS["face_crop"].outputs)
