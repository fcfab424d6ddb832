"""Which language is spoken, from Whisper's probabilities: in a clip, in each of its windows, and where it changes.

A few words are too little to tell a language by. So the windows of a clip are told theirs together, and where a window
holds two languages, that is seen in parts of it of some seconds: p parts, l languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

SURE = 0.8
ENOUGH_S = 4.0
"""A window with so much speech, and a language that is so probable, has that language, whatever the others have."""
PART_S, PART_HOP_S = 4.0, 2.0
"""The parts of a window that the language of each is told of."""
SURE_PART = 0.9
"""A part whose language is less probable does not say that another one begins."""

Turn = tuple[float, int]
"""From when on, in seconds of a window, which language is spoken."""


def of_windows(probabilities: np.ndarray, seconds: Sequence[float]) -> list[int]:
    """Return the language of each window of a clip, from probabilities [b, l] and seconds of sound in each.

    That of all of them together, but for windows that are sure of another.
    """
    length = np.asarray(seconds)
    common = int((np.maximum(length, 1e-3) @ probabilities).argmax())
    sure = (probabilities.max(axis=1) >= SURE) & (length >= ENOUGH_S)
    return [int(own) if certain else common for own, certain in zip(probabilities.argmax(axis=1), sure)]


def part_starts(seconds: float) -> np.ndarray:
    """Return when the parts [p] of a window with so much sound begin; fewer than two: it is too short to be parted."""
    return np.arange(0.0, seconds - PART_S + PART_HOP_S / 2, PART_HOP_S)


def turns(starts: np.ndarray, probabilities: np.ndarray) -> tuple[Turn, ...]:
    """Return which languages are spoken in a window, in order, from probabilities [p, l] of the parts that begin then.

    Empty unless there are two at least: then the first from 0 s on. A language begins half-way between the middle of
    the last part that is sure of the one before, and that of the first that is sure of it.
    """
    sure = np.flatnonzero(probabilities.max(axis=1) >= SURE_PART)
    spoken = probabilities[sure].argmax(axis=1).tolist()
    middles = (starts[sure] + PART_S / 2).tolist()
    found = [
        ((before_s + after_s) / 2, later)
        for (before_s, after_s), (earlier, later) in zip(pairwise(middles), pairwise(spoken))
        if earlier != later
    ]
    return ((0.0, spoken[0]), *found) if found else ()
