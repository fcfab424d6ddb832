"""Who is who in a film whose windows were analysed one by one.

Two windows see the seconds behind a cut both: whoever is in the same place there is the same person. Who comes back
later is known by how the face looks (contract.TRACK_LOOKS), where the server says so. In doubt somebody is new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from triptych_client.contract import LOOK_COUNTS
from triptych_client.footage.parts import Part
from triptych_client.results import Face

SAME_TIME_S = 0.3
"""Faces of two windows are compared that were looked at so close to each other: half the time between two looks."""

SAME_PLACE = 0.4
"""Intersection over union of two boxes of a face that may have moved meanwhile."""

SAME_LOOK = 0.77
"""Measured in one film's light: at most 0.70 for two people (triptych/face/appearance.py)."""

MOST_LOOKS = 12
"""Of each person, the first that were seen and the last."""

PIXELS = 64 * 64
"""Of a face whose patterns are counted."""

Numbers = dict[tuple[int, int], int]
"""A person of the film by part and track."""


@dataclass
class _Person:
    looks: np.ndarray
    parts: set[int] = field(default_factory=set)

    def add(self, part: int, looks: np.ndarray) -> None:
        self.parts.add(part)
        known = np.concatenate([self.looks, looks])
        half = MOST_LOOKS // 2
        self.looks = known if len(known) <= MOST_LOOKS else np.concatenate([known[:half], known[-half:]])


def join(parts: Sequence[Part]) -> Numbers:
    """Return the film's number, from 0, of every track of every part; parts are in order of time."""
    people: list[_Person] = []
    numbers: Numbers = {}
    before: Part | None = None
    for part in parts:
        tracks = sorted({face.track for face in _faces(part)})
        if before is not None and before.end_s == part.start_s:
            for track, its in _in_place(before, part):
                numbers[part.index, track] = numbers[before.index, its]
        taken = {numbers[part.index, track] for track in tracks if (part.index, track) in numbers}
        for track in tracks:
            looks = _looks(part, track)
            if (part.index, track) not in numbers:
                numbers[part.index, track] = _who(looks, people, taken)
            number = numbers[part.index, track]
            taken.add(number)
            if number == len(people):
                people.append(_Person(looks[:0]))
            people[number].add(part.index, looks)
        before = part
    return numbers


def _faces(part: Part) -> tuple[Face, ...]:
    return part.analysis.faces if part.analysis else ()


def _in_place(before: Part, part: Part) -> Iterator[tuple[int, int]]:
    """Yield pairs of a track of a part and the track of the one before that is in the same place at the same time."""
    near: dict[tuple[int, int], list[float]] = {}
    for face in _faces(part):
        time_s = face.time_s + part.origin_s
        for other in _faces(before):
            if abs(other.time_s + before.origin_s - time_s) <= SAME_TIME_S:
                near.setdefault((face.track, other.track), []).append(iou(face.box, other.box))
    means = {pair: sum(values) / len(values) for pair, values in near.items()}
    used: set[tuple[str, int]] = set()
    for (track, its), value in sorted(means.items(), key=lambda item: -item[1]):
        if value >= SAME_PLACE and not {("here", track), ("before", its)} & used:
            used |= {("here", track), ("before", its)}
            yield track, its


def iou(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the intersection over union of two boxes x1, y1, x2, y2."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def _looks(part: Part, track: int) -> np.ndarray:
    """Return how a person looks: FP32 [k, 3776] of unit length, so that a product is how alike two looks are."""
    if part.looks is None or track >= len(part.looks):
        return np.zeros((0, LOOK_COUNTS), np.float32)
    counts = part.looks[track]
    return np.sqrt(counts[counts.any(axis=1)] / np.float32(PIXELS))


def _who(looks: np.ndarray, people: Sequence[_Person], taken: set[int]) -> int:
    """Return who of the film looks like this, of those not `taken`; the next number for somebody new."""
    alike = {
        number: float((person.looks @ looks.T).max())
        for number, person in enumerate(people)
        if number not in taken and len(person.looks) and len(looks)
    }
    best = max(alike, key=lambda number: alike[number], default=None)
    return best if best is not None and alike[best] >= SAME_LOOK else len(people)
