"""Fusion of the channels: a logarithmic opinion pool, additive over the channels that are there.

`logits = sum_c w_c x_c` with x_c a channel's logits, and w_c = 1 / (number of channels that are ok), or 0. What a
channel contributes is exact, and any subset of channels is answered by the same formula. The pool is the externally
Bayesian way to combine opinions (Genest and Zidek 1986, "Combining probability distributions", Statistical Science).
Its equal weights were chosen, not trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from triptych.evidence import Evidence
from triptych_client.contract import CHANNELS, EMOTIONS

ABSTAIN_BELOW = 0.25
"""No emotion is named when the best has less than this probability (seven equal ones: 0.14). Chosen, not trained."""
CONFLICT_ABOVE = 0.15
"""Channels conflict when their Jensen-Shannon divergence, in nats, is larger. Two sure and different channels have
ln 2 = 0.69; 0.15 is about that of two channels that give each other's favourite a fifth of their own. Chosen."""
WINDOW_S = 2.0
HOP_S = 1.0


@dataclass(frozen=True)
class Fused:
    """An answer: probabilities [7], logits [7], contributions [4, 7], per-channel probabilities [4, 7], weights [4].

    Contributions sum to the logits over the channels. Rows of channels that are not ok are 0 in `contributions`, NaN in
    `channel_probabilities`. Without any channel the probabilities are equal.
    """

    probabilities: np.ndarray
    logits: np.ndarray
    contributions: np.ndarray
    channel_probabilities: np.ndarray
    weights: np.ndarray

    @property
    def abstained(self) -> bool:
        """Whether the evidence is too weak to name an emotion."""
        return not self.weights.any() or bool(self.probabilities.max() < ABSTAIN_BELOW)

    @property
    def conflict(self) -> bool:
        """Whether channels favour different emotions, and strongly: one that is merely less sure is no conflict."""
        present = self.channel_probabilities[self.weights > 0]
        favourites = set(present.argmax(axis=1).tolist())
        return len(favourites) > 1 and divergence(present) > CONFLICT_ABOVE


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities [.., 7] of logits [.., 7]."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def divergence(distributions: np.ndarray) -> float:
    """Return the Jensen-Shannon divergence of distributions [k, 7], in nats (Lin 1991)."""
    return float(entropy(distributions.mean(axis=0)) - entropy(distributions).mean())


def entropy(distributions: np.ndarray) -> np.ndarray:
    """Return the entropy of distributions [.., 7], in nats."""
    return -(distributions * np.log(np.maximum(distributions, 1e-12))).sum(axis=-1)


def fuse(evidence: Mapping[str, Evidence]) -> Fused:
    """Fuse the channels of contract.CHANNELS."""
    mask = np.array([evidence[channel].ok for channel in CHANNELS], np.float32)
    weights = mask / max(mask.sum(), 1)
    channel_logits = np.stack([evidence[channel].summary() for channel in CHANNELS])
    contributions = weights[:, None] * channel_logits
    logits = contributions.sum(axis=0)
    alone = np.where(mask[:, None] > 0, softmax(channel_logits), np.nan)
    return Fused(softmax(logits), logits, contributions, alone, weights)


@dataclass(frozen=True)
class Timeline:
    """Windows of the clip: spans [t, 2] in seconds, probabilities [t, 7], per channel [t, 4, 7]; NaN: no evidence."""

    spans: np.ndarray
    probabilities: np.ndarray
    channels: np.ndarray


def timeline(evidence: Mapping[str, Evidence], duration_s: float) -> Timeline:
    """Fuse the evidence inside windows of 2 s that start every second; the last one ends with the clip."""
    count = max(1, int(np.ceil((duration_s - WINDOW_S) / HOP_S)) + 1)
    starts = np.arange(count) * HOP_S
    spans = np.stack([starts, np.minimum(starts + WINDOW_S, duration_s)], axis=1).astype(np.float32)
    parts = [fuse({name: part.within(*span) for name, part in evidence.items()}) for span in spans]
    nothing = np.full(len(EMOTIONS), np.nan, np.float32)
    return Timeline(
        spans,
        np.stack([part.probabilities if part.weights.any() else nothing for part in parts]),
        np.stack([part.channel_probabilities for part in parts]),
    )
