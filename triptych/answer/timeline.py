"""The answer over time: the evidence inside short windows, smoothed, and during each utterance.

Consistent with the clip's answer, as tests hold it: the windows together have all evidence that the clip's answer has,
and are fused by the same parameters; a clip of one window has that window's answer; and an emotion that leads in each
row of evidence leads in each window and in the clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from triptych.answer.evidence import ABSENT, MIN_UTTERANCE_S, Evidence
from triptych.answer.fusion import Fused, fuse, no_evidence
from triptych.answer.parameters import Parameters

WINDOW_S = 2.0
HOP_S = 1.0
KERNEL = np.array([0.25, 0.5, 0.25])
"""Weights of a window's neighbours and its own in smoothing: binomial (Marchand and Marmet 1983, "Binomial smoothing
filter", Review of Scientific Instruments)."""


@dataclass(frozen=True)
class Timeline:
    """Windows of the clip: spans [t, 2] in seconds, probabilities [t, 7], per channel [t, 4, 7]; NaN: no evidence."""

    spans: np.ndarray
    probabilities: np.ndarray
    channels: np.ndarray


def windows(duration_s: float) -> np.ndarray:
    """Return spans [t, 2] of 2 s that start every second; the last one ends with the clip."""
    count = max(1, int(np.ceil((duration_s - WINDOW_S) / HOP_S)) + 1)
    starts = np.arange(count) * HOP_S
    return np.stack([starts, np.minimum(starts + WINDOW_S, duration_s)], axis=1)


def timeline(evidence: Mapping[str, Evidence], parameters: Parameters, spans: np.ndarray) -> Timeline:
    """Fuse the evidence inside each window of `spans` [t, 2], and smooth the logits over neighbouring windows."""
    parts = fuse_within(evidence, parameters, spans)
    logits = np.stack([part.logits if part.present.any() else no_evidence() for part in parts])
    alone = np.log(np.maximum(np.stack([part.alone for part in parts]), 1e-12))
    channels = np.stack([softmax(smooth(alone[:, channel]), axis=-1) for channel in range(alone.shape[1])], axis=1)
    return Timeline(spans, softmax(smooth(logits), axis=-1), channels)


def fuse_within(evidence: Mapping[str, Evidence], parameters: Parameters, spans: np.ndarray) -> list[Fused]:
    """Fuse the evidence inside each window of a clip; the first and the last have what lies before and after too.

    Windows without any are all fused at once: of 256 people, most are seen in few windows.
    """
    starts, ends = spans[:, 0].copy(), spans[:, 1].copy()
    starts[:1], ends[-1:] = -np.inf, np.inf
    first, last = np.concatenate([part.spans for part in evidence.values() if part.ok] or [np.zeros((0, 2))]).T
    touched = ((first <= ends[:, None]) & (last >= starts[:, None])).any(axis=1)
    nothing = fuse(dict.fromkeys(evidence, ABSENT), parameters)
    return [
        fuse({name: part.within(start, end) for name, part in evidence.items()}, parameters) if touches else nothing
        for start, end, touches in zip(starts, ends, touched)
    ]


def smooth(logits: np.ndarray) -> np.ndarray:
    """Return the mean of each window's logits [t, 7] and its neighbours' (Nadaraya 1964, Watson 1964).

    Windows without evidence (NaN) stay so, and count for none.
    """
    valid = np.isfinite(logits).all(axis=1, keepdims=True)
    mean = _with_neighbours(np.where(valid, logits, 0)) / np.maximum(_with_neighbours(valid), 1e-12)
    return np.where(valid, mean, np.nan)


def _with_neighbours(rows: np.ndarray) -> np.ndarray:
    """Return the sum of each row and its neighbours, weighted by KERNEL: [t, ..]; beyond the ends there is nothing."""
    padded = np.pad(rows.astype(np.float64), ((1, 1), (0, 0)))
    return KERNEL[0] * padded[:-2] + KERNEL[1] * padded[1:-1] + KERNEL[2] * padded[2:]


def expressed(evidence: Mapping[str, Evidence], parameters: Parameters, spans: np.ndarray) -> np.ndarray:
    """Return what all channels together express during each utterance: probabilities [u, 7], NaN without evidence."""
    answers = no_evidence(len(spans))
    for row, (start, end) in enumerate(spans):
        inside = {name: part.within(start, max(end, start + MIN_UTTERANCE_S)) for name, part in evidence.items()}
        fused = fuse(inside, parameters)
        if fused.present.any():
            answers[row] = fused.probabilities
    return answers
