"""Step `face_crop`: detections -> faces, upright and of one size, with the person's track and the place in the clip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np

from triptych.errors import TriptychError
from triptych.face import appearance, hidden, mouth, tracks
from triptych.face import boxes as box_ops
from triptych.media.limits import Limits
from triptych_client import contract
from triptych_client.contract import FACE_PX

TEMPLATE = np.array([[36.2, 42.4], [75.8, 42.4], [56.0, 65.1], [40.2, 84.6], [71.8, 84.6]])
"""Where eyes, nose tip and mouth corners go in a crop of FACE_PX: the framing of FER2013's pictures.

Measured: this detector's landmarks on 1,473 of 1,500 random training images of FER2013 (those with one face found with
a score above 0.9), enlarged four times with a border of half their size; their mean, made symmetric, times 112 / 48.
(benchmarks/face_template.py)
"""

BOX_HEIGHT = 1.01
"""Height of the detector's box of a face, in sides of the crop: measured with the template."""

MIN_SPREAD = 0.1
"""Landmarks closer together than this part of the box's height are not those of a face."""

MAX_DISAGREEMENT = 2.0
"""Landmarks that ask for a crop so many times larger or smaller than the box does are not trusted."""

SURE = 0.8
"""A track is a person's when the detector gives one of its faces at least this probability.

Boxes that were no face had at most 0.77 (a background; a shoe 0.61), in one or two frames; the least sure of 25 faces
in photographs has 0.95, the surest of each person in clips at least 0.97 (benchmarks/face_boxes.py has the curve).
Less sure faces of a person who was seen well before or after are that person's: turned away, half hidden.
"""

MAX_SHRINK = 8
"""Large faces are averaged down from so many pixels a side at most; a face as high as a frame of 640 px needs 6."""


@dataclass(frozen=True)
class DetectedFrames:
    """The n sampled frames of a clip, and what the detector found in each.

    frames UINT8 [n, H, W, 3] upright RGB, times FP32 [n] in seconds (NaN: a blank stand-in), boxes FP32 [n, 32, 4] and
    landmarks FP32 [n, 32, 5, 2] in pixels of the frame, scores FP32 [n, 32], 0: padding; `source_size` is width and
    height of the upright source picture in pixels.
    """

    frames: np.ndarray
    times: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray
    source_size: tuple[float, float]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame in pixels."""
        return self.frames.shape[2], self.frames.shape[1]


@dataclass(frozen=True)
class FaceCrops:
    """The m faces of a clip by time; without any, one blank row and count 0.

    crops UINT8 [m, 112, 112, 3] RGB, times FP32 [m], tracks INT32 [m], boxes FP32 [m, 4] in pixels of the upright
    source picture, scores FP32 [m], count INT32 [1]: -1 where faces could not be looked for; found INT32 [1], how many
    there were, and stands_for INT32 [m], for how many of them each one stands, see `chosen`. mouths FP32 [m]: how much
    each one's mouth has moved, see `mouth.movements`; visible FP32 [m]: how much of it is seen, see `hidden.visible`.
    looks UINT8 [j, 6, 3776]: how each of the j people looks, see `looks_of`.
    """

    crops: np.ndarray
    times: np.ndarray
    tracks: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    count: np.ndarray
    found: np.ndarray
    stands_for: np.ndarray
    mouths: np.ndarray
    visible: np.ndarray
    looks: np.ndarray

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the outputs of the step `face_crop` by name."""
        return {
            "FACES": self.crops,
            "FACE_TIMES": self.times,
            "FACE_TRACKS": self.tracks,
            "TRACK_POSITIONS": tracks.positions(self.tracks, self.times),
            "FACE_BOXES": self.boxes,
            "FACE_SCORES": self.scores,
            "FACE_COUNT": self.count,
            "FACES_FOUND": self.found,
            "FACE_STANDS_FOR": self.stands_for,
            "FACE_MOUTHS": self.mouths,
            "FACE_VISIBLE": self.visible,
            "TRACK_LOOKS": self.looks,
        }


def max_faces(limits: Limits) -> int:
    """Return how many faces of a clip are analysed at most: the limit, or what `expression` takes in one batch."""
    return min(limits.faces, contract.STEPS["expression"].max_batch_size)


def crop_all(seen: DetectedFrames, most: int) -> FaceCrops:
    """Cut out the faces of a clip, at most so many: of more, each person has fewer, see `chosen`.

    Boxes that are nobody's are left out, and who is in the picture twice is there once.
    TriptychError when the detector gave no numbers.
    """
    if np.isnan(seen.scores).any():
        raise TriptychError("the scores of the face detector are not numbers: the step before failed")
    found = (seen.scores > 0) & np.isfinite(seen.boxes).all(axis=2) & np.isfinite(seen.times)[:, None]
    in_frame, row = np.nonzero(found)
    if len(row) == 0:
        return _none()
    boxes, scores, landmarks = (array[in_frame, row] for array in (seen.boxes, seen.scores, seen.landmarks))
    times = seen.times[in_frame]
    aligned = cache(lambda face: align(seen.frames[in_frame[face]], landmarks[face], boxes[face]))
    looks = appearance.Looks(aligned, lambda face: appearance.around(seen.frames[in_frame[face]], boxes[face]))
    boxes_by_frame = [boxes[in_frame == frame] for frame in range(len(seen.frames))]
    linked = np.concatenate(tracks.link(boxes_by_frame, seen.times, looks))
    people = np.flatnonzero(_are_people(linked, scores) & ~tracks.copies(linked, times, box_ops.areas(boxes), looks))
    if len(people) == 0:
        return _none()
    few, stands_for = chosen(_renumbered(linked[people]), boxes[people], most)
    kept = people[few]
    joined = tracks.rejoin(linked[kept], times[kept], looks.of(kept.tolist()))
    crops, numbers = np.stack([aligned(face) for face in kept.tolist()]), _renumbered(joined)
    return FaceCrops(
        crops,
        times[kept].astype(np.float32),
        numbers,
        box_ops.scaled(boxes[kept], seen.size, seen.source_size).astype(np.float32),
        scores[kept].astype(np.float32),
        np.array([len(kept)], np.int32),
        np.array([len(people)], np.int32),
        stands_for,
        mouth.movements(joined, times[kept], lambda face: crops[face]),
        hidden.visible(crops),
        looks_of(crops, numbers),
    )


def _are_people(linked: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return which faces [m] are of a track that the detector is sure of at least once: BOOL [m]."""
    best = np.zeros(int(linked.max()) + 1)
    np.maximum.at(best, linked, scores)
    return best[linked] >= SURE


def untold() -> FaceCrops:
    """Return the stand-in for faces that could not be cut out: one blank row, count -1."""
    return replace(_none(), count=np.full(1, -1, np.int32))


def _none() -> FaceCrops:
    blank = np.zeros((1, FACE_PX, FACE_PX, 3), np.uint8)
    row = np.zeros(1, np.float32)
    none = np.zeros(1, np.int32)
    looks = np.zeros((1, contract.LOOKS_EACH, contract.LOOK_COUNTS), np.uint8)
    return FaceCrops(blank, row, none, np.zeros((1, 4), np.float32), row, none, none, none, row, row, looks)


def looks_of(crops: np.ndarray, linked: np.ndarray) -> np.ndarray:
    """Return how people look, from faces UINT8 [m, 112, 112, 3] and their tracks [m], in order of time.

    Of each, up to LOOKS_EACH faces, the first and the last among them: UINT8 [j, 6, 3776] of `appearance.histograms`.
    """
    looks = np.zeros((int(linked.max()) + 1, contract.LOOKS_EACH, contract.LOOK_COUNTS), np.uint8)
    for track, rows in enumerate(looks):
        faces = np.flatnonzero(linked == track)
        some = faces[np.unique(np.linspace(0, len(faces) - 1, contract.LOOKS_EACH).round().astype(int))]
        rows[: len(some)] = appearance.histograms(crops[some])
    return looks


def chosen(linked: np.ndarray, boxes: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which faces to keep, rising, and for how many each stands: INT32, 1 where all are kept.

    `linked` [m] are their tracks, in order of time. When they are more than `most`, everybody keeps some, the first and
    the last among them and others evenly between: those with many faces as many as each other, those with fewer all.
    With more people than `most`, those of the shortest tracks are left out, of equally short ones the smallest.
    """
    kept, stands_for = [], []
    for track, quota in enumerate(_quotas(linked, boxes, most)):
        faces = np.flatnonzero(linked == track)
        places = np.linspace(0, len(faces) - 1, quota).round().astype(int)
        kept.append(faces[places])
        stands_for.append(np.diff([0, *(places[1:] + places[:-1] + 1) // 2, len(faces)]) if quota else places)
    order = np.argsort(np.concatenate(kept))
    return np.concatenate(kept)[order], np.concatenate(stands_for)[order].astype(np.int32)


def _quotas(linked: np.ndarray, boxes: np.ndarray, most: int) -> np.ndarray:
    """Return how many faces each track keeps: INT [tracks], at most `most` together."""
    lengths = np.bincount(linked)
    mean_areas = np.bincount(linked, box_ops.areas(boxes)) / lengths
    level = max(level for level in range(most + 1) if np.minimum(lengths, level).sum() <= most)
    quotas = np.minimum(lengths, level)
    foremost = np.lexsort([-mean_areas, -lengths])
    more = foremost[lengths[foremost] > level][: most - quotas.sum()]
    quotas[more] += 1
    return quotas


def _renumbered(linked: np.ndarray) -> np.ndarray:
    """Return track numbers without gaps, by first appearance."""
    _, first, inverse = np.unique(linked, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int32)


def align(frame: np.ndarray, landmarks: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the upright face UINT8 [112, 112, 3] of a frame [H, W, 3], by its landmarks [5, 2] and box [4]."""
    transform = placement(landmarks, box)
    shrink = int(np.clip(round(1 / float(np.hypot(*transform[:, 0]))), 1, MAX_SHRINK))
    side = FACE_PX * shrink
    enlarged = cv2.warpAffine(
        frame, _between_centres(transform * shrink), (side, side), borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.resize(enlarged, (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA) if shrink > 1 else enlarged


def placement(landmarks: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the turn, scale and shift [2, 3] that puts a face of the frame into the crop.

    By the landmarks, or by the box alone when they cannot be a face's.
    """
    upright = _by_box(box)
    height = max(float(box[3] - box[1]), 1.0)
    if not np.isfinite(landmarks).all() or np.linalg.norm(landmarks.std(axis=0)) < MIN_SPREAD * height:
        return upright
    transform = similarity(landmarks, TEMPLATE)
    ratio = np.hypot(*transform[:, 0]) / np.hypot(*upright[:, 0])
    return transform if 1 / MAX_DISAGREEMENT < ratio < MAX_DISAGREEMENT else upright


def similarity(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the turn, scale and shift [2, 3] that brings `points` [k, 2] nearest to `targets` in least squares.

    In the complex plane it is a regression line, z -> a z + b (the special case without mirroring of Umeyama 1991).
    """
    z, w = points @ [1, 1j], targets @ [1, 1j]
    spread = z - z.mean()
    a = np.vdot(spread, w - w.mean()) / np.vdot(spread, spread)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _by_box(box: np.ndarray) -> np.ndarray:
    """Return the scale and shift [2, 3] that puts a box in the middle of the crop, as high as FER2013's faces."""
    scale = BOX_HEIGHT * FACE_PX / max(float(box[3] - box[1]), 1.0)
    shift = FACE_PX / 2 - scale * (box[:2] + box[2:]) / 2
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def _between_centres(transform: np.ndarray) -> np.ndarray:
    """Return a transform of OpenCV's coordinates, where pixel 0 is at 0, from one where it reaches from 0 to 1."""
    centred = transform.copy()
    centred[:, 2] += transform[:, :2] @ [0.5, 0.5] - 0.5
    return centred
