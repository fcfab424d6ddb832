"""Where each person's face is at any moment, from the boxes of the moments at which the server looked."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from triptych_client.results import Face

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of the upright source frame."""

LONGEST_GAP_S = 2.0
"""A face that is not found for longer is taken to be gone in between. Chosen: faces are looked for twice a second in
clips of a minute, and a turned head is lost for a second or so."""

DEFAULT_STEP_S = 0.5
"""How far apart moments are when a clip has a face at one moment only."""


@dataclass(frozen=True)
class Path:
    """One person's boxes in order of time, `times_s` [n] and `boxes` [n]."""

    times_s: Sequence[float]
    boxes: Sequence[Box]

    def around(self, time_s: float, reach_s: float) -> tuple[int, int] | None:
        """Return the indices of the moments before and after, the same one at the ends; None while not seen.

        Before the first moment, behind the last one and inside a long gap a face counts as seen for `reach_s`.
        """
        after = bisect_right(self.times_s, time_s)
        before = after - 1
        if before >= 0 and after < len(self.times_s) and self.times_s[after] - self.times_s[before] <= LONGEST_GAP_S:
            return before, after
        if before >= 0 and time_s - self.times_s[before] <= reach_s:
            return before, before
        if after < len(self.times_s) and self.times_s[after] - time_s <= reach_s:
            return after, after
        return None


class Faces:
    """The faces of an answer at any time of the clip."""

    def __init__(self, faces: Iterable[Face]) -> None:
        by_track: dict[int, list[Face]] = defaultdict(list)
        for face in sorted(faces, key=lambda face: face.time_s):
            by_track[face.track].append(face)
        self.paths = {
            track: Path([face.time_s for face in seen], [face.box for face in seen]) for track, seen in by_track.items()
        }
        steps = [later - sooner for path in self.paths.values() for sooner, later in pairwise(path.times_s)]
        self.step_s = min(median(steps), LONGEST_GAP_S) if steps else DEFAULT_STEP_S

    def at(self, time_s: float) -> Mapping[int, Box]:
        """Return the box of each person who is seen, by track: in between moments it moves evenly.

        Where it jumps, as at a cut, it stays until half of the time has passed.
        """
        found = {}
        for track, path in self.paths.items():
            if (places := path.around(time_s, self.step_s / 2)) is not None:
                before, after = places
                found[track] = _between(path, before, after, time_s)
        return found

    def possible(self, time_s: float) -> list[Box]:
        """Return boxes that hold each face wherever it is between two moments, for hiding it.

        A person is taken to be there for a whole step before the first moment and behind the last one.
        """
        found = []
        for path in self.paths.values():
            if (places := path.around(time_s, self.step_s)) is not None:
                first, second = (path.boxes[index] for index in places)
                found += [_both(first, second)] if _touch(first, second) else [first, second]
        return found


def _between(path: Path, before: int, after: int, time_s: float) -> Box:
    first, second = path.boxes[before], path.boxes[after]
    if before == after:
        return first
    share = (time_s - path.times_s[before]) / (path.times_s[after] - path.times_s[before])
    if not _touch(first, second):
        return first if share < 0.5 else second
    x1, y1, x2, y2 = (a + share * (b - a) for a, b in zip(first, second))
    return x1, y1, x2, y2


def _touch(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _both(first: Box, second: Box) -> Box:
    """Return the smallest box around two."""
    return min(first[0], second[0]), min(first[1], second[1]), max(first[2], second[2]), max(first[3], second[3])
