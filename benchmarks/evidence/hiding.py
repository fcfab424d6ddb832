"""Are hidden and blurred faces seen to be so, and faces that are not hidden left alone?

Things are drawn into whole frames by the face's landmarks, before anything is detected: another drawing than the one
that the recipe learns from (`training.face.hiding`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from benchmarks.bars import Bar
from benchmarks.evidence import films
from benchmarks.evidence.check import Bench, Check

Draw = Callable[[np.ndarray, np.ndarray], np.ndarray]
NOTICED = 0.5


def mask(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return a frame with a blue mask over the mouth and nose of the face with the landmarks [5, 2]."""
    eyes, nose, mouth = points[:2].mean(axis=0), points[2], points[3:].mean(axis=0)
    across, down = (points[1] - points[0]), (mouth - eyes)
    top = [nose - 0.75 * across - 0.1 * down, nose - 0.35 * down, nose + 0.75 * across - 0.1 * down]
    bottom = [mouth + 0.6 * across + 0.5 * down, mouth + 0.9 * down, mouth - 0.6 * across + 0.5 * down]
    corners = np.array([*top, *bottom]).round().astype(np.int32)
    return cv2.fillPoly(frame.copy(), [corners], (120, 170, 210))


def sunglasses(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return a frame with black glasses over the eyes."""
    worn, apart = frame.copy(), float(np.linalg.norm(points[1] - points[0]))
    left, right = (tuple(eye.round().astype(int).tolist()) for eye in points[:2])
    cv2.line(worn, left, right, (10, 10, 10), max(2, round(apart / 10)))
    for eye in (left, right):
        cv2.ellipse(worn, eye, (round(0.42 * apart), round(0.32 * apart)), 0, 0, 360, (12, 12, 15), -1)
    return worn


def hand(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return a frame with four fingers of the skin's colour over the mouth."""
    apart, mouth = float(np.linalg.norm(points[1] - points[0])), points[3:].mean(axis=0)
    column, row = points[2].round().astype(int).clip(0, np.array(frame.shape[1::-1]) - 1)
    skin, width = tuple(int(level) for level in frame[row, column]), max(3, round(0.28 * apart))
    held = frame.copy()
    for finger in range(4):
        middle = mouth + np.array([0, (finger - 1.3) * 0.33 * apart])
        ends = [tuple((middle + side * np.array([apart, -4])).round().astype(int).tolist()) for side in (-1, 1)]
        cv2.line(held, ends[0], ends[1], tuple(int(0.65 * level) for level in skin), width + 3)
        cv2.line(held, ends[0], ends[1], skin, width)
    return held


def blur(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return a frame that is out of focus, by a sixth of the distance of the eyes."""
    return cv2.GaussianBlur(frame, (0, 0), float(np.linalg.norm(points[1] - points[0])) / 6)


def measure(bench: Bench) -> list[Bar]:
    """Hide the faces of the data's people in each way, and count those noticed; count false alarms in all clips."""
    frames = np.stack([shots[number] for shots in films.people(bench.data) for number in (10, 30, 50)])
    _, _, landmarks = films.detect(frames)
    bars = [_clean(bench.data)]
    for name, draw in {"mask": mask, "sunglasses": sunglasses, "hand": hand, "blur": blur}.items():
        drawn = [draw(frame, points[0]) for frame, points in zip(frames, landmarks)]
        visible = _visible(drawn)
        noticed = sum(amount < NOTICED for amount in visible) + len(drawn) - len(visible)
        bars.append(Bar(f"hidden by {name}, of {len(drawn)}: noticed", noticed, len(drawn), at_least=True))
    return bars


def _visible(frames: list[np.ndarray]) -> list[float]:
    """Return how much of the face of each frame is seen; a face that is not found is not among them."""
    found = [films.see(films.film([frame] * 2)).faces for frame in frames]
    return [float(faces.visible[0]) for faces in found if faces.count[0]]


def _clean(data: Path) -> Bar:
    """Count in the data's clips of people who hide nothing those faces that are taken for hidden."""
    clips = [*(data / "clips" / "faces").glob("grid_*"), *(data / "av" / "clips").glob("*-05.mp4")]
    faces = [films.see(path.read_bytes()).faces for path in clips]
    amounts = np.concatenate([found.visible for found in faces if found.count[0]])
    return Bar(f"of {len(amounts)} faces that nothing hides, those taken for hidden", int((amounts < 0.9).sum()), 0)


CHECK = Check("who is hidden", measure)
