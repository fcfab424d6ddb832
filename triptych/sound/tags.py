"""The audio tags of a clip, from the tagger's probabilities in each window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STRONGEST_SHARE = 0.25
"""A tag's score is its mean over the quarter of the windows where it is strongest: a mean over all would lose a short
laugh, a maximum would take every error of one window."""
MAX_TAGS = 8
MIN_SCORE = 0.05


@dataclass(frozen=True)
class Heard:
    """The clip's tags: indices of their classes [k], and their scores [k]."""

    classes: np.ndarray
    scores: np.ndarray


def strongest(tags: np.ndarray, spans: np.ndarray) -> Heard:
    """Return the clip's tags, strongest first, k <= 8.

    `tags` [p, classes] are probabilities, `spans` [p, 2] the windows in seconds; windows without sound do not count.
    """
    sounding = np.sort(tags[spans[:, 1] > spans[:, 0]], axis=0)
    if not len(sounding):
        return Heard(np.zeros(0, np.int64), np.zeros(0, np.float32))
    count = int(np.ceil(STRONGEST_SHARE * len(sounding)))
    scores = sounding[-count:].mean(axis=0)
    order = [int(i) for i in np.argsort(-scores, kind="stable")[:MAX_TAGS] if scores[i] >= MIN_SCORE]
    return Heard(np.array(order, np.int64), scores[order])


def within(tags: np.ndarray, spans: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Return the probabilities [t, k] of tags [p, k] in each of `windows` [t, 2]: means weighted by what they share.

    `spans` [p, 2] are those of `tags`, in seconds; NaN in a window where no sound is heard.
    """
    shared = np.minimum(windows[:, None, 1], spans[None, :, 1]) - np.maximum(windows[:, None, 0], spans[None, :, 0])
    weights = np.where(np.isfinite(shared), np.maximum(shared, 0), 0)
    total = weights.sum(axis=1, keepdims=True)
    mean = weights @ np.nan_to_num(tags) / np.where(total > 0, total, 1)
    return np.where(total > 0, mean, np.nan).astype(np.float32)
