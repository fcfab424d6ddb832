"""What a face looks like, for telling a cut from a movement, and whether who comes back is one who left.

The face itself is the texture of its aligned crop: histograms of local binary patterns over a grid (Ahonen, Hadid and
Pietikäinen 2006, "Face description with local binary patterns", IEEE TPAMI): of each pixel, which of its eight
neighbours are lighter. They do not change with brightness or contrast; pose, expression and strong shadows do change
them. Enough for the few people of one clip filmed in one light, too weak to recognise anybody across clips, and not
used for that: the vectors leave the server only where a client asks for them, to join the windows of one film, and
no answer holds them. Around the face it is colours, which a movement leaves and a cut to
another person changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from skimage.feature import local_binary_pattern

SIDE_PX = 64
"""Crops are looked at in this size: finer texture is noise of the camera and the codec."""
GRID = 8
"""Histograms are of GRID x GRID cells of 8 px: where on the face a pattern is counts as well."""
NEIGHBOURS = 8
RADIUS_PX = 2
PATTERNS = NEIGHBOURS * (NEIGHBOURS - 1) + 3
"""59 bins: one for each pattern that changes at most twice around the circle, and one for all others."""
WIDTH = GRID * GRID * PATTERNS
MIN_CONTRAST = 4.0
"""A crop whose grey levels deviate by less is blank, or a blur: it looks like nobody."""

SAME = 0.77
"""Faces that look at least so alike are the same person's.

Measured on clips of nine people (benchmarks/face_looks.py): at most 0.70 for two of them, mirrored or not. One who
reads to the camera is 0.76 to 0.91 like himself, and 0.82 in another recording; one who turns her head and laughs 0.49
to 0.88, median 0.62: she is often counted anew after an absence.
"""

AROUND = 2.4
"""Hair, shoulders and what is behind: a square of so many heights of the face's box, the face above its middle."""
AROUND_PX = 48
LEVELS = 8
"""Of each colour."""
SAME_COLOURS = 0.95
"""Half a second apart, the colours around a face that goes on are at least so alike: 0.988 in clips of ten people, also
where one turns and laughs (benchmarks/face_looks.py); around two of nine people framed alike they were 0.86 at most."""


class Looks:
    """The looks of a clip's faces, by their number; each is looked at when it is asked for, and most never are.

    `crop` and `surroundings` return of a face its aligned crop and the picture around it, UINT8 [.., .., 3].
    """

    def __init__(self, crop: Callable[[int], np.ndarray], surroundings: Callable[[int], np.ndarray]) -> None:
        self.crop, self.surroundings = crop, surroundings
        self.textures: dict[int, np.ndarray] = {}
        self.colours: dict[int, np.ndarray] = {}

    def of(self, faces: Sequence[int]) -> Looks:
        """Return the looks of some faces, numbered as they are given."""
        return Looks(lambda face: self.crop(int(faces[face])), lambda face: self.surroundings(int(faces[face])))

    def alike(self, some: Sequence[int], others: Sequence[int]) -> np.ndarray:
        """Return how alike faces look, or one of them and the other's mirror image: [some, others] from 0 to 1."""
        ours, theirs = (np.stack([self._texture(face) for face in faces]) for faces in (some, others))
        return np.maximum(likeness(ours[:, 0], theirs[:, 0]), likeness(ours[:, 0], theirs[:, 1]))

    def is_cut(self, before: int, after: int) -> bool:
        """Whether two faces in one place, one soon after the other, are two people's: a cut lies between them."""
        if float(self._colour(before) @ self._colour(after)) >= SAME_COLOURS:
            return False
        return float(self.alike([before], [after])[0, 0]) < SAME

    def _texture(self, face: int) -> np.ndarray:
        """Return a face's appearance and that of its mirror image: [2, WIDTH]."""
        if face not in self.textures:
            crop = self.crop(face)
            self.textures[face] = describe(np.stack([crop, crop[:, ::-1]]))
        return self.textures[face]

    def _colour(self, face: int) -> np.ndarray:
        if face not in self.colours:
            self.colours[face] = colours(self.surroundings(face))
        return self.colours[face]


def around(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the part of a frame [H, W, 3] around a face's box [4]: a view of at least one pixel."""
    height = max(float(box[3] - box[1]), 1.0)
    left, top = (box[0] + box[2] - AROUND * height) / 2, box[1] - 0.5 * height
    rows, columns = (
        slice(int(np.clip(start, 0, size - 1)), int(np.clip(start + AROUND * height, 0, size - 1)) + 1)
        for start, size in ((top, frame.shape[0]), (left, frame.shape[1]))
    )
    return frame[rows, columns]


def colours(picture: np.ndarray) -> np.ndarray:
    """Return which colours a picture UINT8 [h, w, 3] has: f32 [LEVELS**3] of unit length."""
    small = cv2.resize(picture, (AROUND_PX, AROUND_PX), interpolation=cv2.INTER_AREA)
    counts = cv2.calcHist([small], [0, 1, 2], None, [LEVELS] * 3, [0, 256] * 3).ravel()
    return np.sqrt(counts / counts.sum())


def describe(crops: np.ndarray) -> np.ndarray:
    """Return the appearance of aligned faces UINT8 [m, side, side, 3]: f32 [m, WIDTH] of unit length, 0 for a blank."""
    # the product of roots is Bhattacharyya's likeness of histograms
    return np.sqrt(histograms(crops) / np.float32(SIDE_PX * SIDE_PX))


def histograms(crops: np.ndarray) -> np.ndarray:
    """Return the patterns of aligned faces UINT8 [m, side, side, 3], counted: UINT8 [m, WIDTH], 0 for a blank."""
    small = [cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for crop in crops]
    greys = np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in small])
    patterns = np.stack([_patterns(grey) for grey in greys])
    cell = np.arange(SIDE_PX) * GRID // SIDE_PX
    place = (cell[:, None] * GRID + cell) * PATTERNS
    flat = patterns + place + (np.arange(len(crops)) * WIDTH)[:, None, None]
    counts = np.bincount(flat.ravel(), minlength=len(crops) * WIDTH).reshape(len(crops), WIDTH)
    textured = greys.std(axis=(1, 2)) >= MIN_CONTRAST
    return (counts * textured[:, None]).astype(np.uint8)  # a cell has 64 pixels


def likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how alike appearances [a, WIDTH] and [b, WIDTH] are: [a, b] from 0 to 1 (Bhattacharyya 1943)."""
    return one @ other.T


def _patterns(grey: np.ndarray) -> np.ndarray:
    """Return the number of the pattern around each pixel of a picture [h, w], the edge continued: int [h, w]."""
    padded = np.pad(grey, RADIUS_PX, mode="edge")
    patterns = local_binary_pattern(padded, NEIGHBOURS, RADIUS_PX, method="nri_uniform")
    return patterns[RADIUS_PX:-RADIUS_PX, RADIUS_PX:-RADIUS_PX].astype(np.int64)
