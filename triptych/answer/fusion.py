"""Fusion of the channels: a multinomial regression that is additive over those that are there.

`logits = b + sum_c mask_c (W_c x_c)`, x_c being a channel's calibrated logits, and the same times their reliability
(`Evidence.features`). What a channel contributes is exact, and any subset of channels is answered by one model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import entr, softmax

from triptych.answer.evidence import Evidence
from triptych.answer.parameters import Parameters, centred
from triptych_client.contract import CHANNELS, EMOTIONS


@dataclass(frozen=True)
class Fused:
    """An answer: probabilities [7], logits [7], contributions [4, 7], each channel alone [4, 7], `present` bool [4].

    Contributions sum to the logits over the channels, exactly: b is shared equally by the channels that are there.
    Contributions and logits have sum 0 over the emotions. Rows of channels that are not there are 0 in
    `contributions`, NaN in `alone` (what the same model answers to that channel only). Without any channel the
    probabilities are equal.
    """

    probabilities: np.ndarray
    logits: np.ndarray
    contributions: np.ndarray
    alone: np.ndarray
    present: np.ndarray
    parameters: Parameters

    @property
    def weights(self) -> np.ndarray:
        """Share of each channel [4] in what moves the logits, either way: sums to 1; all 0 without channels."""
        moved = np.abs(self.contributions).sum(axis=1) + 1e-9 * self.present
        return moved / max(moved.sum(), 1e-12)

    @property
    def abstained(self) -> bool:
        """Whether the evidence is too weak to name an emotion."""
        return not self.present.any() or bool(self.probabilities.max() < self.parameters.abstain_below)

    @property
    def conflict(self) -> bool:
        """Whether channels favour different emotions, and strongly: one that is merely less sure is no conflict."""
        alone = self.alone[self.present]
        favourites = set(alone.argmax(axis=1).tolist())
        return len(favourites) > 1 and divergence(alone) > self.parameters.conflict_above


def fuse(evidence: Mapping[str, Evidence], parameters: Parameters) -> Fused:
    """Fuse the channels of contract.CHANNELS."""
    present = np.array([evidence[channel].ok for channel in CHANNELS])
    share = present / max(present.sum(), 1)
    by_evidence = np.stack([part.sum(axis=0) for part in row_contributions(evidence, parameters)])
    contributions = by_evidence + share[:, None] * centred(parameters.bias)
    logits = contributions.sum(axis=0)
    undivided = by_evidence * (present.sum() if parameters.pooled else 1)
    alone = np.where(present[:, None], softmax(undivided + parameters.bias, axis=-1), np.nan)
    return Fused(softmax(logits), logits, contributions, alone, present, parameters)


def row_contributions(evidence: Mapping[str, Evidence], parameters: Parameters) -> list[np.ndarray]:
    """Return what each row of each channel adds to the logits: [r, 7] a channel, whose sum is the channel's W_c x_c."""
    count = sum(part.ok for part in evidence.values()) if parameters.pooled else 1
    return [
        centred(evidence[channel].features() @ matrix.T) / max(count, 1)
        for channel, matrix in zip(CHANNELS, parameters.weights)
    ]


def divergence(distributions: np.ndarray) -> float:
    """Return the Jensen-Shannon divergence of distributions [k, 7], in nats (Lin 1991)."""
    return float(entr(distributions.mean(axis=0)).sum() - entr(distributions).sum(axis=-1).mean())


def no_evidence(*shape: int) -> np.ndarray:
    """Return probabilities [*shape, 7] where there is no evidence: NaN."""
    return np.full((*shape, len(EMOTIONS)), np.nan)
