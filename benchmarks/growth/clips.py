"""Clips that differ in one thing alone, made of the demo clip: their length, faces in the picture, or people."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import chain, repeat
from pathlib import Path

import cv2
import numpy as np

from benchmarks.evidence import films
from benchmarks.evidence.films import RATE_HZ
from benchmarks.footage import MINUTE_S, make_film
from triptych.media.probe import FRAMES_PER_SECOND

SIZE = (640, 360)
"""Width and height of the demo clip's pictures."""
FACE = (slice(0, 336), slice(320, 560))
"""Rows and columns around the face, from FACE_FROM on."""
FACE_FROM = 300
"""A picture from which on the demo clip's face is bare: no hand is before it."""
CELL = (256, 360)
COLUMNS, ROWS = 5, 2
MOST_FACES = COLUMNS * ROWS
FACES_S = 6.0
SEEN = 64
"""So many faces are seen in each clip of people, one at a time: one in each frame that is looked at."""
GREYS, GRAINS, TINT = 20.0, 32, 0.35
"""What tells people apart, the same in all their pictures: a pattern of so many grey levels, with so many grains to a
picture's height, which is the scale of the textures that looks are told by, and how far their colours are changed."""


def long(clip: Path, seconds: float) -> bytes:
    """Return a clip of so many seconds: the clip again and again, or its beginning; nothing is encoded anew."""
    with tempfile.TemporaryDirectory() as folder:
        return make_film(clip, seconds / MINUTE_S, Path(folder, "film.mkv")).read_bytes()


def crowded(clip: Path, faces: int) -> bytes:
    """Return FACES_S without sound, of one size, in which so many people, up to MOST_FACES, are seen all the time."""
    width, height = COLUMNS * CELL[0], ROWS * CELL[1]
    pictures = []
    for picture in _faces(clip, round(FACES_S * RATE_HZ)):
        canvas = np.full((height, width, 3), 90, np.uint8)
        small = cv2.resize(picture, CELL)
        for number in range(faces):
            row, column = divmod(number, COLUMNS)
            place = slice(row * CELL[1], (row + 1) * CELL[1]), slice(column * CELL[0], (column + 1) * CELL[0])
            canvas[place] = as_person(small, number)
        pictures.append(canvas)
    return films.film(pictures)


def people(clip: Path, count: int) -> bytes:
    """Return SEEN / 2 s without sound, in which so many people are seen one after another, for as long each.

    Whatever their number, as many frames are looked at, with one face each: the people alone are more or fewer.
    """
    (picture,) = _faces(clip, 1)
    each = round(SEEN / count / FRAMES_PER_SECOND * RATE_HZ)
    whole = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    whole[FACE] = picture
    shots = (repeat(as_person(whole, number), each) for number in range(count))
    return films.film(list(chain.from_iterable(shots)))


def as_person(picture: np.ndarray, number: int) -> np.ndarray:
    """Return a picture UINT8 [H, W, 3] as that of somebody else, by number: with colours and a pattern of their own."""
    random = np.random.default_rng(number)
    height, width = picture.shape[:2]
    grains = random.normal(0, GREYS, (GRAINS, GRAINS * width // height)).astype(np.float32)
    pattern = cv2.resize(grains, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    tint = 1 + random.uniform(-TINT, TINT, 3)
    return (picture * tint + pattern).clip(0, 255).astype(np.uint8)


def _faces(clip: Path, count: int) -> Sequence[np.ndarray]:
    """Return the surroundings of the face in so many pictures of the demo clip."""
    return [picture[FACE] for picture in films.pictures(clip, SIZE)[FACE_FROM : FACE_FROM + count]]
