"""Right, and as sure as it is right: the scores of answers, by channel, by subset, by group, and against others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from training.evaluation.answered import Answered
from training.fusion.fit import SUBSETS, answers, named
from training.fusion.report import with_channels
from training.metrics import RESAMPLES, Interval, calibration_gap, expected_calibration_error, macro_f1
from triptych.answer.parameters import Parameters
from triptych.answer.reliability import Reliability
from triptych.errors import TriptychError

Array = np.ndarray
FEWEST_GROUPS = 8
"""With fewer groups intervals draw clips, not groups: two people tell nothing of how much people differ."""


CALIBRATED_DRAWS = 500


@dataclass(frozen=True)
class Line:
    """Some clips answered in one way: how often that is right, how sure it is, and how far the two are apart (ECE).

    `calibrated_ece` is what answers would have that are right exactly as often as they are sure, on so many clips: few
    clips in a bin are seldom right as often as they should be (Bröcker and Smith 2007, "consistency resampling").
    """

    name: str
    clips: int
    accuracy: Interval
    macro_f1: float
    certainty: float
    ece: float
    calibrated_ece: Interval

    def cells(self) -> tuple[str, ...]:
        """Return the row of a table."""
        return (
            self.name,
            str(self.clips),
            str(self.accuracy),
            f"{self.certainty:.3f}",
            f"{self.ece:.3f}",
            str(self.calibrated_ece),
            f"{self.macro_f1:.3f}",
        )


HEADER = ("answered from", "clips", "right", "certainty", "ECE", "ECE if calibrated", "macro-F1")


def line(name: str, labels: Array, probabilities: Array, groups: Iterable[str]) -> Line:
    """Return the scores of probabilities [n, 7]."""
    predicted = probabilities.argmax(1)
    return Line(
        name,
        len(labels),
        _share(predicted == labels, np.array(list(groups))),
        macro_f1(labels, predicted),
        float(probabilities.max(1).mean()),
        expected_calibration_error(labels, probabilities),
        calibrated_ece(probabilities),
    )


def calibrated_ece(probabilities: Array) -> Interval:
    """Return the expected calibration error of probabilities [n, 7] whose labels are drawn from them.

    The median of many draws, and where 95 % of them lie.
    """
    random, cumulated = np.random.default_rng(0), probabilities.cumsum(axis=1)
    errors = []
    for _ in range(CALIBRATED_DRAWS):
        drawn = random.random((len(cumulated), 1)) * cumulated[:, -1:]
        errors.append(expected_calibration_error((drawn < cumulated).argmax(1), probabilities))
    low, median, high = np.percentile(errors, (2.5, 50, 97.5))
    return Interval(float(median), float(low), float(high))


def _share(right: Array, groups: Array) -> Interval:
    """Return the share of right answers [n], and its 95 % bootstrap interval; see FEWEST_GROUPS."""
    _, group = np.unique(groups, return_inverse=True)
    if group.max() + 1 < FEWEST_GROUPS:
        group = np.arange(len(right))
    counts, rights = np.bincount(group), np.bincount(group, right)
    draws = np.random.default_rng(0).integers(0, len(counts), (RESAMPLES, len(counts)))
    low, high = np.percentile(rights[draws].sum(1) / counts[draws].sum(1), (2.5, 97.5))
    return Interval(float(right.mean()), float(low), float(high))


def whole(answered: Answered) -> Line:
    """Return the scores of the answers as they were given."""
    return line("the answer", answered.labels, answered.probabilities, answered.groups)


def reliability(answered: Answered, name: str) -> Reliability:
    """Return how often answers are right by how sure they are, on the clips that every channel answers for.

    TriptychError when there is no such clip.
    """
    whole = ~np.isnan(answered.evidence).any(axis=(1, 2))
    if not whole.any():
        raise TriptychError("no clip is answered by every channel: how reliable such answers are cannot be said")
    return Reliability.measure(answered.certainty[whole], answered.right[whole], name)


def by_subset(answered: Answered, parameters: Parameters) -> list[Line]:
    """Return the scores of each set of channels, on the clips that have all of them."""
    lines = []
    for subset in SUBSETS:
        clips = with_channels(answered.clips, subset)
        if len(clips.labels):
            shares = softmax(answers(parameters, clips.x["clean"], subset), axis=1)
            lines.append(line(named(subset), clips.labels, shares, clips.groups[:, 0]))
    return lines


def by(answered: Answered, kind: Callable[[Answered], Iterable[str]]) -> list[Line]:
    """Return the scores of the answers by what `kind` says of each clip."""
    kinds = np.array(list(kind(answered)))
    lines = []
    for name in np.unique(kinds):
        rows = np.flatnonzero(kinds == name)
        groups = [answered.groups[row] for row in rows]
        lines.append(line(str(name), answered.labels[rows], answered.probabilities[rows], groups))
    return lines


@dataclass(frozen=True)
class Change:
    """One score of answers, that of others to the same clips, and what is between them, with its interval."""

    score: str
    before: float
    after: float
    difference: Interval

    def cells(self) -> tuple[str, ...]:
        """Return the row of a table."""
        return (self.score, f"{self.before:.3f}", f"{self.after:.3f}", str(self.difference))


def against(answered: Answered, other: Answered) -> list[Change]:
    """Return how answers differ from others to the same clips. TriptychError when they are of other clips."""
    if answered.files != other.files or (answered.labels != other.labels).any():
        raise TriptychError("the two evaluations are of other clips: --against takes one of the same folder")
    draws = np.random.default_rng(0).integers(0, len(answered.labels), (RESAMPLES, len(answered.labels)))
    return [_change(name, measure, other, answered, draws) for name, measure in MEASURES.items()]


def _change(
    name: str, measure: Callable[[Answered, Array], float], before: Answered, after: Answered, draws: Array
) -> Change:
    everything = np.arange(len(after.labels))
    first, second = measure(before, everything), measure(after, everything)
    low, high = np.percentile([measure(after, rows) - measure(before, rows) for rows in draws], (2.5, 97.5))
    return Change(name, first, second, Interval(second - first, float(low), float(high)))


MEASURES: dict[str, Callable[[Answered, Array], float]] = {
    "right": lambda answers, rows: float(answers.right[rows].mean()),
    "certainty": lambda answers, rows: float(answers.certainty[rows].mean()),
    "ECE": lambda answers, rows: calibration_gap(answers.certainty[rows], answers.right[rows]),
}
