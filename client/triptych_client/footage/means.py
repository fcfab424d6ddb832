"""Means over the parts of a film."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from triptych_client.contract import EMOTIONS
from triptych_client.results import Probabilities

LEAST = 1e-9
"""A probability of 0 has no logarithm."""

DECIMALS = 6
"""As many as are worth writing."""


def mean(distributions: Iterable[Probabilities | None], weights: Sequence[float]) -> Probabilities | None:
    """Return the mean of distributions, in their logarithms as the fusion adds them; None where none is known."""
    known = [(told, weight) for told, weight in zip(distributions, weights) if told is not None]
    if not known:
        return None
    logs = np.log([[max(told[emotion], LEAST) for emotion in EMOTIONS] for told, _ in known])
    shares = np.maximum([weight for _, weight in known], LEAST)
    return by_emotion(softmax(shares @ logs / shares.sum()))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities [7] of logits [7]."""
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def by_emotion(row: np.ndarray) -> dict[str, float]:
    """Return numbers [7] by emotion, rounded."""
    return dict(zip(EMOTIONS, np.round(row, DECIMALS).tolist()))
