"""Is everybody one person, over the whole clip, and the one who speaks the one it is about?"""

from __future__ import annotations

from itertools import chain

import cv2
import numpy as np

from benchmarks.bars import Bar
from benchmarks.evidence import films
from benchmarks.evidence.check import Bench, Check
from benchmarks.evidence.films import RATE_HZ, Seen
from triptych.answer import people
from triptych.answer.people import FaceRows
from triptych.face import crop

SHOT_S = 3.0
TILTED, SIDEWAYS = (15, 30, 45, 60, -15, -30, -45, -60), (90, -90)


def measure(bench: Bench) -> list[Bar]:
    """Compose clips of the people of the data, and count who is found and chosen."""
    everybody = films.people(bench.data)
    return [*_cuts(everybody), *_all_the_time(everybody), *_who_speaks(everybody), *_tilted(everybody)]


def _cuts(everybody: list[list[np.ndarray]]) -> list[Bar]:
    """Cut hard between people framed alike, A B A C, and from A to A mirrored."""
    bars = []
    for names, right in (("ABAC", [0, 1, 0, 2]), ("ABCDABCD", [0, 1, 2, 3] * 2)):
        shots = [films.looped(everybody["ABCD".index(name)], SHOT_S) for name in names]
        seen = films.see(films.film(list(chain(*shots))))
        tracks = [_track_at(seen, (number + 0.5) * SHOT_S) for number in range(len(names))]
        wrong = sum(one != other for one, other in zip(tracks, right))
        bars.append(Bar(f"hard cuts {names}: shots with another person than is right", wrong, 0))
    one = list(films.looped(everybody[0], SHOT_S))
    mirrored = [shot[:, ::-1] for shot in one]
    bars.append(Bar("cut to the mirrored copy: people", films.see(films.film([*one, *mirrored])).people, 1))
    beside = [np.hstack(pair) for pair in zip(one, mirrored)]
    return [*bars, Bar("mirrored copy beside: people", films.see(films.film(beside)).people, 1)]


def _track_at(seen: Seen, time_s: float) -> int:
    return int(seen.faces.tracks[np.abs(seen.faces.times - time_s).argmin()])


def _all_the_time(everybody: list[list[np.ndarray]]) -> list[Bar]:
    """Show four people in one picture for 60 s: 480 faces, of which 256 are analysed."""
    quarters = zip(*(films.looped(shots, 60) for shots in everybody))
    film = films.film([np.vstack([np.hstack(four[:2]), np.hstack(four[2:])])[::2, ::2] for four in quarters])
    faces = films.see(film).faces
    spans = [np.ptp(faces.times[faces.tracks == track]) for track in range(int(faces.tracks.max()) + 1)]
    return [
        Bar("four people for 60 s: found", len(spans), 4, at_least=True),
        Bar("four people for 60 s: the shortest is followed for", float(min(spans)), 59, "s", at_least=True),
        Bar(
            "four people for 60 s: faces said to be left out",
            float(faces.found[0] - faces.count[0]),
            224,
            at_least=True,
        ),
    ]


def _who_speaks(everybody: list[list[np.ndarray]]) -> list[Bar]:
    """Let each read beside a larger photograph of each other, as a camera in a hand sees it: who is it about?"""
    right, reasons, posters, speakers = 0, [], [], []
    pairs = [(speaker, poster) for speaker in range(4) for poster in range(4) if speaker != poster]
    for speaker, poster in pairs:
        moving = list(films.looped(everybody[speaker], 2 * SHOT_S))
        still = films.in_a_hand(everybody[poster][40], len(moving))
        film = films.film([np.hstack([shot, _enlarged(photo)]) for shot, photo in zip(moving, still)])
        faces = films.see(film).faces
        rows = _rows(faces)
        left = [track for track in range(rows.count) if faces.boxes[faces.tracks == track, 0].mean() < films.SIZE[0]]
        chosen = people.choose(rows, np.array([[0.0, 2 * SHOT_S]]))
        right += chosen.track in left
        reasons.append(chosen.reason)
        for track in range(rows.count):
            (speakers if track in left else posters).append(float(rows.movements(track)[1].mean()))
    return [
        Bar(f"speaker beside a larger photograph: chosen, of {len(pairs)}", right, len(pairs), at_least=True),
        Bar("of them by the mouth", reasons.count("mouth"), len(pairs), at_least=True),
        Bar("movement of the stillest speaker's mouth", min(speakers), people.TALKS, at_least=True),
        Bar("movement of the liveliest photograph's mouth", max(posters), people.ALIVE),
    ]


def _enlarged(photo: np.ndarray) -> np.ndarray:
    """Return the middle of a picture, a third larger."""
    height, width = photo.shape[:2]
    inner = photo[height // 8 : -height // 8, width // 8 : -width // 8]
    rows, columns = (
        np.linspace(0, size - 1, full).round().astype(int) for size, full in zip(inner.shape, (height, width))
    )
    return inner[rows][:, columns]


def _rows(faces: crop.FaceCrops) -> FaceRows:
    nothing = np.zeros((len(faces.times), 7))
    frame_times = np.unique(faces.times)
    rows = (faces.times, faces.tracks, faces.boxes, faces.scores, nothing)
    return FaceRows(frame_times, *rows, faces.stands_for, faces.mouths, faces.visible)


def _tilted(everybody: list[list[np.ndarray]]) -> list[Bar]:
    """Turn faces of 150 px and of 75 px by up to a right angle: found, and upright in their crop?"""
    bars = []
    for size, shrink in (("150 px", 1), ("75 px", 2)):
        for angles, name in ((TILTED, "tilted by 15 to 60 degrees"), (SIDEWAYS, "sideways")):
            rolls = [_roll_errors(everybody, degrees, shrink) for degrees in angles]
            total, found = len(angles) * len(everybody), np.concatenate(rolls)
            bars.append(Bar(f"faces of {size} {name}: found, of {total}", len(found), total, at_least=True))
            if len(found):
                worst = float(np.quantile(found, 0.9))
                bars.append(Bar("nine of ten of them are upright in their crop within", worst, 20, "degrees"))
    return bars


def _roll_errors(everybody: list[list[np.ndarray]], degrees: float, shrink: int) -> np.ndarray:
    """Return by how many degrees the faces that are found in turned pictures are not upright in their crops."""
    turned = [films.tilted(shots[40], degrees) for shots in everybody]
    small = [cv2.resize(one, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA) for one in turned]
    _, scores, landmarks = films.detect(np.stack(small))
    found = landmarks[scores[:, 0] >= crop.SURE, 0]
    turns = [crop.similarity(points, crop.TEMPLATE) for points in found]
    return np.array([abs(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])) - degrees) for turn in turns])


assert RATE_HZ * SHOT_S == 75
"""As long as the recordings are."""


CHECK = Check("who", measure)
