"""Why the answer is what it is: its main causes and what speaks against it, from the contributions and their evidence.

A channel is named as a cause with the piece of its evidence that counts most: an utterance, a sound, a stretch of the
voice or of the face. Each has, by its own numbers, the sign that its kind states. The client makes sentences of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from triptych.answer.evidence import Evidence
from triptych.answer.fusion import Fused, row_contributions
from triptych_client.contract import CHANNELS, EMOTIONS, RATIONALE_FIELDS

SUPPORT_SHARE = 0.25
"""A channel is named as a cause when it gives at least this share of what speaks for the emotion."""
FACE_STRETCH_S = 2.0
"""Faces are named by the stretch of this length that counts most."""
MIN_TAG = 0.1
"""A sound is named when the tagger gives it at least this probability in the window that counts."""


@dataclass(frozen=True)
class Quotable:
    """What can be quoted: texts of the utterances [u]; tag probabilities [p, classes] and the classes' names."""

    texts: Sequence[str]
    tags: np.ndarray
    labels: Sequence[str]


@dataclass(frozen=True)
class Part:
    """A piece of a channel's evidence that speaks for an emotion: when, and the words or the tag ("" for none).

    `kind` is one of contract.RATIONALE_KINDS.
    """

    kind: str
    channel: str
    emotion: str
    start_s: float
    end_s: float
    what: str = ""


def parts(evidence: Mapping[str, Evidence], fused: Fused, quotable: Quotable) -> tuple[Part, ...]:
    """Return what speaks for the best emotion, strongest first, then the strongest voice against it, if any."""
    best = int(fused.probabilities.argmax())
    rows = dict(zip(CHANNELS, row_contributions(evidence, fused.parameters)))
    support = np.array([min(rows[c][:, best].sum(), fused.contributions[i, best]) for i, c in enumerate(CHANNELS)])
    enough = max(SUPPORT_SHARE * support.clip(min=0).sum(), 1e-6)
    causes = [CHANNELS[i] for i in np.argsort(-support, kind="stable") if support[i] >= enough]
    named = [("cause", channel, best) for channel in causes]
    opponent = int(fused.contributions[:, best].argmin())
    if fused.contributions[opponent, best] < 0:
        named.append(("against", CHANNELS[opponent], int(fused.contributions[opponent].argmax())))
    found = (
        _strongest(kind, channel, emotion, evidence[channel], rows[channel], quotable)
        for kind, channel, emotion in named
    )
    return tuple(part for part in found if part)


def tensors(found: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts as texts [r, 4], columns contract.RATIONALE_FIELDS, and spans [r, 2]."""
    texts = [[getattr(part, name) for name in RATIONALE_FIELDS] for part in found]
    spans = [[part.start_s, part.end_s] for part in found]
    return np.array(texts, object).reshape(-1, len(RATIONALE_FIELDS)), np.array(spans, np.float64).reshape(-1, 2)


def _strongest(
    kind: str, channel: str, emotion: int, evidence: Evidence, rows: np.ndarray, quotable: Quotable
) -> Part | None:
    """Return the piece of a channel's evidence that speaks most for an emotion; None when none does."""
    support = rows[:, emotion]
    together = _stretches(evidence.spans) if channel == "face" else np.eye(len(support), dtype=bool)
    row = int((together @ support).argmax())
    if together[row] @ support <= 0:
        return None
    end_s = evidence.spans[together[row], 1].max()
    what = _what(channel, int(evidence.rows[row]), quotable)
    return Part(kind, channel, EMOTIONS[emotion], float(evidence.spans[row, 0]), float(end_s), what)


def _stretches(spans: np.ndarray) -> np.ndarray:
    """Return for each row [r] which rows [r] begin with it or within FACE_STRETCH_S after: BOOL [r, r]."""
    after = spans[:, 0] - spans[:, :1]
    return (after >= 0) & (after <= FACE_STRETCH_S)


def _what(channel: str, row: int, quotable: Quotable) -> str:
    """Return the words of an utterance, or the tag that marks a sound window out from the clip's others."""
    if channel == "words":
        return quotable.texts[row].strip()
    if channel != "sound" or not len(quotable.labels):
        return ""
    window = quotable.tags[row]
    distinct = np.where(window >= MIN_TAG, window - 0.5 * np.median(quotable.tags, axis=0), -1)
    tag = int(distinct.argmax())
    return quotable.labels[tag] if window[tag] >= MIN_TAG else ""
