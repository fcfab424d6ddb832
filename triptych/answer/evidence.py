"""What each channel says, row by row in time: the common form that fusion works on.

A row is a face, a sound window, a voice window or an utterance. Shapes: r rows; 7 = contract.EMOTIONS.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import entr

from triptych.answer.parameters import Calibration
from triptych.answer.status import Status
from triptych_client.contract import EMOTIONS

LOG = logging.getLogger(__name__)

UNCALIBRATED = Status("ok", "uncalibrated")
NO_MODEL = Status("absent", "no_model")
NO_SOUND = Status("absent", "no_sound")
NO_SPEECH = Status("absent", "no_speech")
NOT_FINITE = Status("failed", "not_finite")
STEP_FAILED = Status("failed", "step_failed")

LARGEST_LOGIT = 1e4
"""Larger numbers are no logits: softmax has long been 0 or 1, and sums of them would overflow."""

MIN_UTTERANCE_S = 0.1
"""An utterance weighs at least as one of this length: Whisper gives some a length of 0."""


def _empty(*shape: int) -> Callable[[], np.ndarray]:
    return lambda: np.zeros(shape)


@dataclass(frozen=True)
class Evidence:
    """One channel: its status and its rows.

    spans [r, 2] in seconds (equal: a moment), calibrated logits [r, 7] of sum 0, weights [r] > 0, reliability [r] from
    0 to 1, and `rows` [r], the number of each among the rows of the model's step.
    """

    status: Status
    spans: np.ndarray = field(default_factory=_empty(0, 2))
    logits: np.ndarray = field(default_factory=_empty(0, len(EMOTIONS)))
    weights: np.ndarray = field(default_factory=_empty(0))
    reliability: np.ndarray = field(default_factory=_empty(0))
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.intp))

    @property
    def ok(self) -> bool:
        """Whether the channel takes part in the answer."""
        return self.status.ok

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
        return self.choose(weights > 0, weights) if np.any(weights > 0) else ABSENT

    def choose(self, chosen: np.ndarray, weights: np.ndarray) -> Evidence:
        """Return the rows where `chosen` [r] is true, with `weights` [r] instead of theirs."""
        return replace(
            self,
            spans=self.spans[chosen],
            logits=self.logits[chosen],
            weights=weights[chosen],
            reliability=self.reliability[chosen],
            rows=self.rows[chosen],
        )

    def features(self) -> np.ndarray:
        """Return each row's part of the channel's x: [r, 14], whose sum over the rows is x.

        x is the weighted mean of the rows' logits, and of their logits times their reliability.
        """
        both = np.hstack([self.logits, self.reliability[:, None] * self.logits])
        return both * (self.weights / self.weights.sum())[:, None] if len(both) else both

    def summary(self) -> np.ndarray:
        """Return the weighted mean of the rows' logits [7]; zeros unless the channel is ok."""
        return self.features()[:, : len(EMOTIONS)].sum(axis=0)


ABSENT = Evidence(Status("absent"))


@dataclass(frozen=True)
class ChannelInput:
    """What a channel's evidence is made with: its name, the status of its input, its model's calibration.

    That of an input that is there becomes that of the channel: it says when the model is not calibrated.
    """

    name: str
    status: Status
    calibration: Calibration = field(default_factory=Calibration)

    def calibrated(self, logits: np.ndarray) -> np.ndarray:
        """Return calibrated logits [r, 7] of a model's; NaN in rows with one that is NaN, infinite or LARGEST_LOGIT."""
        numbers = np.where(np.abs(logits) < LARGEST_LOGIT, logits, np.nan)
        return self.calibration.apply(numbers.astype(np.float64))

    def gather(
        self, spans: np.ndarray, logits: np.ndarray, weights: np.ndarray, reliability: np.ndarray, if_empty: Status
    ) -> Evidence:
        """Return the channel's evidence from its rows, whose shapes are those of `Evidence`.

        Rows of weight 0 do not count; without others the channel is `if_empty`. Rows with logits that are not numbers
        are left out and logged; without others the channel failed.
        """
        if not self.status.ok:
            return Evidence(self.status)
        weighted = weights > 0
        if not weighted.any():
            return Evidence(if_empty)
        calibrated = self.calibrated(logits)
        valid = weighted & np.isfinite(calibrated).all(axis=1)
        if broken := int(weighted.sum() - valid.sum()):
            LOG.warning("%s: %d of %d rows have logits that are not finite", self.name, broken, weighted.sum())
        if not valid.any():
            return Evidence(NOT_FINITE)
        rows = np.flatnonzero(valid)
        return Evidence(
            self.status, spans[rows], calibrated[rows], weights[rows].astype(np.float64), reliability[rows], rows
        )


@dataclass(frozen=True)
class UtteranceRows:
    """The u utterances as the words model saw them: spans [u, 2] and logits [u, 7].

    `logprobs` [u] are the recogniser's mean log-probabilities of a token, `languages` are ISO 639-1 codes [u].
    """

    spans: np.ndarray
    logprobs: np.ndarray
    languages: Sequence[str]
    logits: np.ndarray


def face(
    channel: ChannelInput,
    frame_times: np.ndarray,
    times: np.ndarray,
    sizes: np.ndarray,
    logits: np.ndarray,
    seen_in: int | None = None,
) -> Evidence:
    """Return the face channel: one person's faces [m], larger and surer ones (`sizes` [m]) weighing more.

    Their reliability is the share of the sampled frames [n] that the person is seen in: as many as there are faces,
    unless `seen_in` says more.
    """
    frames = int(np.isfinite(frame_times).sum())
    seen_in = max(seen_in or 0, len(np.unique(times)))
    seen = np.full(len(times), min(seen_in / max(frames, 1), 1.0))
    no_face = Status("absent", "no_face", str(frames))
    return channel.gather(np.stack([times, times], axis=1), logits, sizes, seen, no_face)


def sound(channel: ChannelInput, spans: np.ndarray, tags: np.ndarray, logits: np.ndarray) -> Evidence:
    """Return the sound channel: windows [p] weighted by how much sound each has.

    A window whose tags [p, classes] are spread evenly is unreliable, one with a single tag reliable: 1 minus the
    entropy of the tags as shares, relative to its largest value.
    """
    shares = tags / np.maximum(tags.sum(axis=1, keepdims=True), 1e-12)
    evenness = entr(shares).sum(axis=1) / np.log(max(tags.shape[1], 2))
    reliability = np.nan_to_num(np.clip(1 - evenness, 0, 1))
    return channel.gather(spans, logits, spans[:, 1] - spans[:, 0], reliability, NO_SOUND)


def voice(channel: ChannelInput, spans: np.ndarray, speech: np.ndarray, logits: np.ndarray) -> Evidence:
    """Return the voice channel: windows [w] weighted by the seconds of `speech` [k, 2] in each.

    The reliability of a window is the share of it that is speech.
    """
    speech_s = overlap(spans, speech)
    length_s = np.maximum(spans[:, 1] - spans[:, 0], 1e-6)
    return channel.gather(spans, logits, speech_s, np.clip(speech_s / length_s, 0, 1), NO_SPEECH)


def words(channel: ChannelInput, utterances: UtteranceRows, supported: Collection[str]) -> Evidence:
    """Return the words channel: longer and more surely recognised utterances weigh more.

    Those in a language that the model does not support are left out; it supports any when `supported` is empty. Their
    reliability is the recogniser's confidence, the geometric mean of its tokens' probabilities.
    """
    spans, languages = utterances.spans, utterances.languages
    confidence = np.nan_to_num(np.exp(np.minimum(utterances.logprobs, 0)))
    understood = np.array([not supported or language in supported for language in languages], bool)
    weights = np.maximum(spans[:, 1] - spans[:, 0], MIN_UTTERANCE_S) * confidence * understood
    if_empty = NO_SPEECH if understood.all() else unsupported(languages)
    return channel.gather(spans, utterances.logits, weights, confidence, if_empty)


def unsupported(languages: Sequence[str]) -> Status:
    """Return the status of words in languages that the words model does not support."""
    return Status("absent", "unsupported_language", ", ".join(sorted(set(languages))))


def overlap(spans: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how many seconds of each span [r, 2] lie in any of `others` [k, 2]; where those overlap, once."""
    starts, ends = merged(others).reshape(-1, 2).T
    inside = np.minimum(spans[:, 1:], ends) - np.maximum(spans[:, :1], starts)
    return np.maximum(inside, 0).sum(axis=1)


def common(spans: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return what lies in spans [r, 2] and in `others` [k, 2], as spans [.., 2] in order."""
    starts = np.maximum(spans[:, None, 0], others[None, :, 0])
    ends = np.minimum(spans[:, None, 1], others[None, :, 1])
    both = np.stack([starts, ends], axis=-1)[ends > starts]
    return both[np.argsort(both[:, 0], kind="stable")]


def trimmed(spans: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return spans [r, 2] from the first to the last moment of `others` [k, 2] in each; without any, as it is."""
    cut = spans.copy()
    for row, span in enumerate(spans):
        inside = common(span[None], others)
        if len(inside):
            cut[row] = inside[0, 0], inside[:, 1].max()
    return cut


def merged(spans: np.ndarray) -> np.ndarray:
    """Return the union of spans [k, 2] as spans that do not overlap, in order; at least MIN_UTTERANCE_S long each."""
    union: list[list[float]] = []
    for start, end in sorted(map(tuple, spans.tolist())):
        last = max(end, start + MIN_UTTERANCE_S)
        if union and start <= union[-1][1]:
            union[-1][1] = max(union[-1][1], last)
        else:
            union.append([start, last])
    return np.array(union).reshape(-1, 2)
