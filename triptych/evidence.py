"""What each channel says, row by row in time: the common form that fusion works on.

A row is a face, a sound window, a voice window or an utterance. Shapes: r rows; 7 = contract.EMOTIONS.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

from triptych.status import OK, Status
from triptych_client.contract import EMOTIONS

VACANT = Status("absent", "no model exported")


@dataclass(frozen=True)
class Evidence:
    """One channel: its status, and rows with spans [r, 2] in seconds, logits [r, 7] and weights [r] >= 0."""

    status: Status
    spans: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    logits: np.ndarray = field(default_factory=lambda: np.zeros((0, len(EMOTIONS)), np.float32))
    weights: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def ok(self) -> bool:
        """Whether the channel takes part in the answer."""
        return self.status == OK

    def within(self, start_s: float, end_s: float) -> Evidence:
        """Return the rows that overlap a window, weighted by the part of them inside it; absent without any.

        A row that is a moment (a face in a frame) counts whole.
        """
        if not self.ok:
            return self
        starts, ends = self.spans.T
        inside = np.minimum(ends, end_s) - np.maximum(starts, start_s)
        lengths = ends - starts
        share = np.where(lengths > 0, inside / np.maximum(lengths, 1e-6), (starts >= start_s) & (starts < end_s))
        weights = self.weights * np.clip(share, 0, 1)
        if not np.any(weights > 0):
            return Evidence(Status("absent", "nothing in this window"))
        return replace(self, weights=weights)

    def summary(self) -> np.ndarray:
        """Return the weighted mean of the rows' logits, centred to sum 0: [7]. Zeros unless the channel is ok."""
        if not self.ok:
            return np.zeros(len(EMOTIONS), np.float32)
        mean = np.average(self.logits, axis=0, weights=self.weights)
        return (mean - mean.mean()).astype(np.float32)


def gather(status: Status, spans: np.ndarray, logits: np.ndarray, weights: np.ndarray, nothing: str) -> Evidence:
    """Return a channel's evidence from its rows.

    Rows of weight 0 are not there. Without rows the channel is absent, for the reason `nothing`; with logits that are
    not finite in every row it failed, and single such rows are left out.
    """
    if status != OK:
        return Evidence(status)
    there = weights > 0
    finite = np.isfinite(logits).all(axis=1)
    if not there.any():
        return Evidence(Status("absent", nothing))
    if not (there & finite).any():
        return Evidence(Status("failed", "its model gave numbers that are not finite"))
    keep = there & finite
    return Evidence(OK, spans=spans[keep], logits=logits[keep], weights=weights[keep])


def face(
    status: Status, frame_count: int, times: np.ndarray, tracks: np.ndarray, boxes: np.ndarray,
    scores: np.ndarray, logits: np.ndarray,
) -> Evidence:  # fmt: skip
    """Return the face channel: the faces [m] of the clip's main person, larger and surer faces weighing more."""
    areas = np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)
    weights = areas * scores * (tracks == main_track(tracks, areas * scores))
    noun = "frame" if frame_count == 1 else "frames"
    nothing = f"no face found in {frame_count} sampled {noun}"
    return gather(status, np.stack([times, times], axis=1), logits, weights, nothing)


def main_track(tracks: np.ndarray, sizes: np.ndarray) -> int:
    """Return the track whose faces are largest in sum (sizes [m]); -1 without faces."""
    return int(np.argmax(np.bincount(tracks, weights=sizes))) if len(tracks) else -1


def windows(status: Status, spans: np.ndarray, logits: np.ndarray) -> Evidence:
    """Return a channel of regular windows (sound, voice), weighted by how much sound each has."""
    return gather(status, spans, logits, spans[:, 1] - spans[:, 0], "no sound")


def words(status: Status, spans: np.ndarray, logprobs: np.ndarray, logits: np.ndarray) -> Evidence:
    """Return the words channel: utterances [u], longer and more surely recognised ones weighing more."""
    lengths = np.maximum(spans[:, 1] - spans[:, 0], MIN_UTTERANCE_S)
    return gather(status, spans, logits, lengths * np.exp(logprobs), "no speech detected")


MIN_UTTERANCE_S = 0.1
"""An utterance weighs at least as one of this length: Whisper gives some a length of 0."""


def unless_vacant(channel: str, vacant: Collection[str], status: Status) -> Status:
    """Return the status of a channel's input, or that the channel has no model."""
    return VACANT if channel in vacant else status
