"""How often a channel of a real clip does not say what the clip expresses; estimated from labelled real clips.

Clips that are put together by label have channels that always agree. In a real clip the words may carry nothing, the
face may be still, or a channel may say another emotion. So what a channel says of a clip is taken as drawn from what it
says of the clip's emotion, of neutral, or of any emotion, and the shares of the three are those under which the real
clips are likeliest (expectation maximisation, Dempster, Laird and Rubin 1977). Two numbers a channel: few clips do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from triptych_client.contract import CHANNELS, EMOTIONS

Array = np.ndarray
NEUTRAL = EMOTIONS.index("neutral")
STEPS = 500
MOST = 0.5
"""A channel is not taken to disagree in more clips, whatever the real clips at hand are. All of those that this was
made with say two fixed sentences: of them, words never tell anything, and would be left without a say anywhere.
Chosen, not fitted."""


@dataclass(frozen=True)
class Disagreement:
    """In which share of clips a channel says neutral (`still`), and in which anything (`other`)."""

    still: float = 0.0
    other: float = 0.0

    def said(self, labels: Array, random: np.random.Generator) -> Array:
        """Return what the channel says in clips that express `labels` [n]: indices into EMOTIONS."""
        draw = random.random(len(labels))
        anything = random.integers(len(EMOTIONS), size=len(labels))
        return np.where(draw < self.still, NEUTRAL, np.where(draw < self.still + self.other, anything, labels))


Rates = Mapping[str, Disagreement]
NONE: Rates = {channel: Disagreement() for channel in CHANNELS}
"""Every channel says what the clip expresses."""


def of_evidence(x: Array, labels: Array) -> Rates:
    """Return the rates of each channel, from evidence x [n, 4, 14] of clips (NaN: the channel is not there).

    None is above MOST. A channel that no clip has never disagrees.
    """
    return {channel: _of_channel(x[:, column, : len(EMOTIONS)], labels) for column, channel in enumerate(CHANNELS)}


def _of_channel(logits: Array, labels: Array) -> Disagreement:
    there = np.isfinite(logits).all(axis=1)
    found = estimate(softmax(logits[there], axis=1), labels[there]) if there.any() else Disagreement()
    return Disagreement(min(found.still, MOST), min(found.other, MOST))


def estimate(probabilities: Array, labels: Array) -> Disagreement:
    """Return the likeliest rates, from a channel's calibrated probabilities [n, 7] with equal priors, and labels [n].

    Such probabilities are proportional to how likely the channel's evidence is when it says each emotion.
    """
    likelihoods = np.stack(
        [
            probabilities[np.arange(len(labels)), labels],
            probabilities[:, NEUTRAL],
            np.full(len(labels), 1 / len(EMOTIONS)),
        ],
        axis=1,
    )
    shares = np.full(3, 1 / 3)
    for _ in range(STEPS):
        parts = shares * likelihoods
        shares = (parts / parts.sum(axis=1, keepdims=True)).mean(axis=0)
    return Disagreement(float(shares[1]), float(shares[2]))
