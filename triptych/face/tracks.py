"""Tracks: which faces of the frames are the same person's, by where they are, and after an absence by how they look.

From one sampled frame to the next, half a second, a face moves by about its own width, so overlap alone is too strict:
nearness counts as well. What else counts are seconds, whatever the rate of sampling (`probe.FRAMES_PER_SECOND`).
Who comes back within REJOIN_S and looks like who left goes on as the same person; the look is a texture of one clip's
crops (`appearance.py`), not an identity. In doubt somebody is new: two tracks of one person are better than one of two.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from triptych.face import appearance
from triptych.face import boxes as box_ops

MAX_MISSED_S = 1.25
"""A face may be missed for so long, a turn of the head, and still go on as the same track.

Counted from the first frame without it, so that a picture that stands still misses nobody.
"""

REACH = 1.0
"""How far a face's middle moves from one sample to the next at most, in sides of the face."""

MAX_GROWTH = 2.0
"""How much larger or smaller a face becomes at most."""

REJOIN_S = 10.0
"""A person may be away for so long, as in a cut to another speaker, and still go on as the same track."""

SAME = 0.77
"""Tracks that look at least so alike are the same person's.

Measured on clips of seven people (benchmarks/face_looks.py): at most 0.69 for two of them. One who reads to the
camera is 0.76 to 0.91 like himself, and 0.82 in another recording; one who turns his head and laughs 0.49 to 0.88,
median 0.62: he is often counted anew after an absence.
"""

LOOKS_S = 2.25
"""The faces of so many seconds before an absence are compared with those after it: the best pair counts."""


def link(frames: Sequence[np.ndarray], times_s: np.ndarray) -> list[np.ndarray]:
    """Return the track of every box: for each frame's boxes [k, 4], INT32 [k], numbered by first appearance.

    `times_s` [frames] are rising. In each frame tracks and boxes are assigned so that their affinities add up to most.
    """
    last_boxes, last_seen = np.zeros((0, 4)), np.zeros(0, dtype=int)
    linked = []
    for step, boxes in enumerate(frames):
        tracks = np.full(len(boxes), -1, dtype=np.int32)
        recent = np.flatnonzero(times_s[step] - times_s[last_seen + 1] <= MAX_MISSED_S)
        for track, box in _pairs(affinity(last_boxes[recent], boxes)):
            tracks[box] = recent[track]
        fresh = np.flatnonzero(tracks < 0)
        tracks[fresh] = len(last_boxes) + np.arange(len(fresh))
        last_boxes = np.concatenate([last_boxes, np.zeros((len(fresh), 4))])
        last_seen = np.concatenate([last_seen, np.zeros(len(fresh), dtype=int)])
        last_boxes[tracks], last_seen[tracks] = boxes, step
        linked.append(tracks)
    return linked


def rejoin(tracks: np.ndarray, times_s: np.ndarray, looks: np.ndarray) -> np.ndarray:
    """Return the tracks [m] with those of a person who was away joined into the first, from `times_s` [m] and `looks`.

    `looks` [m, width] are those of `appearance.describe`. Each track is joined with at most one before and one after
    it, so that the joined look most alike altogether; they are never seen at once.
    """
    in_time = np.argsort(times_s, kind="stable")
    faces = [in_time[tracks[in_time] == number] for number in np.unique(tracks)]
    likeness = appearance.likeness(looks, looks)
    alike = np.zeros((len(faces), len(faces)))
    for before, after in zip(*np.nonzero(_in_reach(faces, times_s))):
        alike[before, after] = _likeness_across(faces[before], faces[after], times_s, likeness)
    joined = tracks.copy()
    for before, after in sorted(_pairs(alike), key=lambda pair: times_s[faces[pair[1]][0]]):
        joined[faces[after]] = joined[faces[before][0]]
    return joined


def _in_reach(faces: Sequence[np.ndarray], times_s: np.ndarray) -> np.ndarray:
    """Return which tracks end before which others start, by no more than REJOIN_S: BOOL [tracks, tracks]."""
    left_s, came_s = (np.array([times_s[rows[end]] for rows in faces]) for end in (-1, 0))
    away_s = came_s[None] - left_s[:, None]
    return (away_s > 0) & (away_s <= REJOIN_S)


def _likeness_across(before: np.ndarray, after: np.ndarray, times_s: np.ndarray, likeness: np.ndarray) -> float:
    """Return how alike the end of one track and the start of another look, both rows by time; 0: not one person.

    `likeness` [m, m] is that of each face with each.
    """
    left_s, came_s = times_s[before[-1]], times_s[after[0]]
    last, first = before[times_s[before] > left_s - LOOKS_S], after[times_s[after] < came_s + LOOKS_S]
    best = float(likeness[np.ix_(last, first)].max())
    return best if best >= SAME else 0.0


def positions(tracks: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Return the key of each face's track and its time in milliseconds, from tracks and times [m]: INT64 [m, 2].

    A clip's keys are its tracks counted from a random number: the batcher runs the faces of many clips in one
    execution, where none may share a key (of 256 such faces, two do with a probability below 1e-14).
    """
    keys = secrets.randbits(62) + tracks.astype(np.int64)
    return np.stack([keys, np.round(times_s * 1000).astype(np.int64)], axis=1)


def affinity(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how likely boxes [a, 4] and [b, 4] are the same face: [a, b], 0 when they are too far apart or unlike.

    The larger of the overlap (intersection over union) and the nearness (1 for the same middle, 0 at REACH).
    """
    side_a = np.sqrt(box_ops.areas(one))[:, None] + 1e-6
    side_b = np.sqrt(box_ops.areas(other))[None] + 1e-6
    distance = np.linalg.norm(box_ops.centres(one)[:, None] - box_ops.centres(other)[None], axis=2)
    near = 1 - distance / (REACH * (side_a + side_b) / 2)
    alike = np.maximum(side_a / side_b, side_b / side_a) <= MAX_GROWTH
    return np.where(alike, np.maximum(near, box_ops.iou(one, other)), 0).clip(min=0)


def _pairs(likeness: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs (row, column) whose likenesses add up to most, each row and column once, none with 0."""
    rows, columns = linear_sum_assignment(likeness, maximize=True)
    return [(row, column) for row, column in zip(rows.tolist(), columns.tolist()) if likeness[row, column] > 0]
