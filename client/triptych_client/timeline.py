"""The timeline as a viewer reads it: without overlaps, and with equal neighbours joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from triptych_client.results import Probabilities, TimelineWindow


@dataclass(frozen=True)
class Run:
    """A stretch of the clip with one leading emotion; `confidence` is its mean probability. None: no evidence."""

    start_s: float
    end_s: float
    label: str | None
    confidence: float


def leading(probabilities: Probabilities | None) -> tuple[str | None, float]:
    """Return the emotion with the highest probability, and that; None and 0 without evidence."""
    if probabilities is None:
        return None, 0.0
    label = max(probabilities, key=lambda emotion: probabilities[emotion])
    return label, probabilities[label]


def pieces(windows: Sequence[TimelineWindow]) -> list[Run]:
    """Return the windows cut so that they touch and do not overlap: in the middle of what two of them share."""
    cuts = [(left.end_s + right.start_s) / 2 for left, right in pairwise(windows)]
    starts = [*(window.start_s for window in windows[:1]), *cuts]
    ends = [*cuts, *(window.end_s for window in windows[-1:])]
    return [
        Run(start_s, end_s, *leading(window.probabilities))
        for window, start_s, end_s in zip(windows, starts, ends, strict=True)
    ]


def runs(windows: Sequence[TimelineWindow], start_s: float = 0.0, end_s: float = float("inf")) -> list[Run]:
    """Return the pieces within a span, neighbours with the same leading emotion joined."""
    joined: list[Run] = []
    for piece in pieces(windows):
        part = Run(max(piece.start_s, start_s), min(piece.end_s, end_s), piece.label, piece.confidence)
        if part.start_s >= part.end_s:
            continue
        if joined and joined[-1].label == part.label:
            joined[-1] = _joined(joined[-1], part)
        else:
            joined.append(part)
    return joined


def _joined(left: Run, right: Run) -> Run:
    left_s, right_s = left.end_s - left.start_s, right.end_s - right.start_s
    mean = (left.confidence * left_s + right.confidence * right_s) / (left_s + right_s)
    return Run(left.start_s, right.end_s, left.label, mean)
