"""Tracks: which faces of the frames are the same person's, by where they are and how they look.

From one sampled frame to the next, half a second, a face moves by about its own width, so overlap alone is too strict:
nearness counts as well. Where a cut shows somebody else in the same place, framed alike, nobody goes on. What else
counts are seconds, whatever the rate of sampling (`probe.FRAMES_PER_SECOND`).

Who comes back within REJOIN_S and looks like who left goes on as the same person, mirrored or not; the look is a
texture of one clip's crops (`appearance.py`), not an identity. In doubt somebody is new: two tracks of one person are
better than one of two.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from itertools import combinations
from typing import Protocol

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

REJOIN_S = 60.0
"""A person may be away for so long, as in a cut to another speaker, and still go on as the same track: any clip's
length, since looks tell people apart however long ago they were seen."""

LOOKS_S = 2.25
"""The faces of so many seconds before an absence are compared with those after it: the best pair counts."""

MIN_COPIES = 3
"""A copy is taken for one by so many faces that are seen at the same time as their like."""

MOST_COPIED = 16
"""Copies are looked for among so many of the largest faces."""


class Looks(Protocol):
    """What tracks ask of the looks of faces, numbered as they are found: `appearance.Looks`."""

    def is_cut(self, before: int, after: int) -> bool:
        """Whether two faces in one place are two people's."""
        ...

    def alike(self, some: Sequence[int], others: Sequence[int]) -> np.ndarray:
        """Return how alike faces look: [some, others] from 0 to 1."""
        ...


def link(frames: Sequence[np.ndarray], times_s: np.ndarray, looks: Looks) -> list[np.ndarray]:
    """Return the track of every box: for each frame's boxes [k, 4], INT32 [k], numbered by first appearance.

    `times_s` [frames] are rising. In each frame tracks and boxes are assigned so that their affinities add up to most.
    """
    last_boxes, last_seen, last_faces = np.zeros((0, 4)), np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    linked, first = [], 0
    for step, boxes in enumerate(frames):
        tracks, faces = np.full(len(boxes), -1, dtype=np.int32), first + np.arange(len(boxes))
        recent = np.flatnonzero(times_s[step] - times_s[last_seen + 1] <= MAX_MISSED_S)
        near = affinity(last_boxes[recent], boxes)
        for track, box in zip(*np.nonzero(near)):
            near[track, box] *= not looks.is_cut(int(last_faces[recent[track]]), int(faces[box]))
        for track, box in _pairs(near):
            tracks[box] = recent[track]
        fresh = np.flatnonzero(tracks < 0)
        tracks[fresh] = len(last_boxes) + np.arange(len(fresh))
        last_boxes = np.concatenate([last_boxes, np.zeros((len(fresh), 4))])
        last_seen, last_faces = (np.concatenate([last, np.zeros(len(fresh), int)]) for last in (last_seen, last_faces))
        last_boxes[tracks], last_seen[tracks], last_faces[tracks] = boxes, step, faces
        linked.append(tracks)
        first += len(boxes)
    return linked


def rejoin(tracks: np.ndarray, times_s: np.ndarray, looks: Looks) -> np.ndarray:
    """Return the tracks [m] with those of a person who was away joined into the first, from `times_s` [m] and `looks`.

    Each track is joined with at most one before and one after it, so that the joined look most alike altogether; they
    are never seen at once.
    """
    in_time = np.argsort(times_s, kind="stable")
    faces = [in_time[tracks[in_time] == number] for number in np.unique(tracks)]
    alike = np.zeros((len(faces), len(faces)))
    for before, after in zip(*np.nonzero(_in_reach(faces, times_s))):
        alike[before, after] = _likeness_across(faces[before], faces[after], times_s, looks)
    joined = tracks.copy()
    for before, after in sorted(_pairs(alike), key=lambda pair: times_s[faces[pair[1]][0]]):
        joined[faces[after]] = joined[faces[before][0]]
    return joined


def copies(tracks: np.ndarray, times_s: np.ndarray, areas: np.ndarray, looks: Looks) -> np.ndarray:
    """Return which faces [m] are those of a person who is in the picture twice, as a copy or a mirror image: BOOL [m].

    The copy is the smaller of the two, or the later. `tracks`, `times_s` and `areas` are those of the faces [m].
    """
    is_copy = np.zeros(len(tracks), bool)
    largest_first = np.argsort(-np.bincount(tracks, areas) / np.maximum(np.bincount(tracks), 1), kind="stable")
    faces = [np.flatnonzero(tracks == number) for number in largest_first[:MOST_COPIED]]
    for one, other in combinations(faces, 2):
        if not (is_copy[one].any() or is_copy[other].any()):
            is_copy[other] = _are_copies(one, other, times_s, looks)
    return is_copy


def _are_copies(one: np.ndarray, other: np.ndarray, times_s: np.ndarray, looks: Looks) -> bool:
    """Whether the second track is mostly seen together with the first, and they look alike then."""
    together, ours, theirs = np.intersect1d(times_s[one], times_s[other], return_indices=True)
    if len(together) < max(MIN_COPIES, len(other) / 2):
        return False
    some = np.linspace(0, len(together) - 1, MIN_COPIES).round().astype(int)
    pairs = zip(one[ours[some]].tolist(), other[theirs[some]].tolist())
    return all(looks.alike([face], [its_like])[0, 0] >= appearance.SAME for face, its_like in pairs)


def _in_reach(faces: Sequence[np.ndarray], times_s: np.ndarray) -> np.ndarray:
    """Return which tracks end before which others start, by no more than REJOIN_S: BOOL [tracks, tracks]."""
    left_s, came_s = (np.array([times_s[rows[end]] for rows in faces]) for end in (-1, 0))
    away_s = came_s[None] - left_s[:, None]
    return (away_s > 0) & (away_s <= REJOIN_S)


def _likeness_across(before: np.ndarray, after: np.ndarray, times_s: np.ndarray, looks: Looks) -> float:
    """Return how alike the end of one track and the start of another look, both rows by time; 0: not one person."""
    left_s, came_s = times_s[before[-1]], times_s[after[0]]
    last, first = before[times_s[before] > left_s - LOOKS_S], after[times_s[after] < came_s + LOOKS_S]
    best = float(looks.alike(last.tolist(), first.tolist()).max())
    return best if best >= appearance.SAME else 0.0


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
