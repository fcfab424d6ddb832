"""The audio tags of a clip, from the tagger's probabilities in each window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

STRONGEST_SHARE = 0.25
"""A tag's score is its mean over the quarter of the windows where it is strongest: a mean over all would lose a short
laugh, a maximum would take every error of one window."""
MAX_TAGS = 8
MIN_SCORE = 0.05


def strongest(tags: np.ndarray, spans: np.ndarray, labels: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return the names and scores [k] of the clip's tags, strongest first, k <= 8.

    `tags` [p, classes] are probabilities, `spans` [p, 2] the windows in seconds; windows without sound do not count.
    """
    sounding = np.sort(tags[spans[:, 1] > spans[:, 0]], axis=0)
    if not len(sounding):
        return [], np.zeros(0, np.float32)
    count = int(np.ceil(STRONGEST_SHARE * len(sounding)))
    scores = sounding[-count:].mean(axis=0)
    order = [int(i) for i in np.argsort(-scores, kind="stable")[:MAX_TAGS] if scores[i] >= MIN_SCORE]
    return [str(labels[i]) for i in order], scores[order]
