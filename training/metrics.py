"""How good a classifier over EMOTIONS is: scores with intervals, a table a class, calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import binned_statistic
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score
from sklearn.metrics import precision_recall_fscore_support as per_class_scores

from triptych_client.contract import EMOTIONS

Array = np.ndarray
CALIBRATION_BINS = 15
"""As in Guo et al. 2017."""
RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A score and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return it as cards and tables show it."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one emotion, and how many samples have it."""

    emotion: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Scores:
    """What a model card reports. `confusion` counts [true, predicted]; `ece` is the expected calibration error."""

    accuracy: Interval
    balanced_accuracy: Interval
    macro_f1: Interval
    classes: tuple[ClassScore, ...]
    confusion: Array
    ece: float
    samples: int


def score(labels: Array, logits: Array, groups: Array | None = None) -> Scores:
    """Compare logits [n, 7] with labels [n].

    `groups` [n] names what was drawn independently, such as the speaker: intervals then resample groups, since
    samples of one speaker resemble each other. Without it each sample is drawn by itself.
    """
    predicted = logits.argmax(1)
    draws = _resamplings(np.arange(len(labels)) if groups is None else groups)
    metrics = (accuracy_score, balanced_accuracy, macro_f1)
    columns: Any = per_class_scores(labels, predicted, labels=range(len(EMOTIONS)), zero_division=cast(Any, 0))
    accuracy, recall, f1 = (_interval(metric, labels, predicted, draws) for metric in metrics)
    return Scores(
        accuracy=accuracy,
        balanced_accuracy=recall,
        macro_f1=f1,
        classes=tuple(
            ClassScore(emotion, float(p), float(r), float(f), int(support))
            for emotion, p, r, f, support in zip(EMOTIONS, *columns, strict=True)
        ),
        confusion=confusion_matrix(labels, predicted, labels=range(len(EMOTIONS))),
        ece=expected_calibration_error(labels, softmax(logits, axis=1)),
        samples=len(labels),
    )


def balanced_accuracy(labels: Array, predicted: Array) -> float:
    """Return the unweighted mean of the recalls of the classes present (unweighted average recall)."""
    return float(recall_score(labels, predicted, labels=np.unique(labels), average="macro"))


def macro_f1(labels: Array, predicted: Array) -> float:
    """Return the unweighted mean of F1 over the classes present."""
    return float(f1_score(labels, predicted, labels=np.unique(labels), average="macro"))


def expected_calibration_error(labels: Array, probabilities: Array) -> float:
    """Return the mean distance of confidence from accuracy, over equal bins of confidence weighted by their size."""
    return calibration_gap(probabilities.max(1), probabilities.argmax(1) == labels)


def calibration_gap(confidence: Array, right: Array) -> float:
    """Return the same from the confidence [n] of answers and how far each is right [n], 0 to 1."""
    gaps = binned_statistic(confidence, right - confidence, "sum", CALIBRATION_BINS, range=(0, 1)).statistic
    return float(np.abs(gaps).sum() / len(confidence))


def fit_temperature(labels: Array, logits: Array) -> float:
    """Return the temperature that makes `softmax(logits / temperature)` likeliest (Guo et al. 2017)."""
    rows = np.arange(len(labels))

    def negative_log_likelihood(log_temperature: float) -> float:
        return -float(log_softmax(logits / np.exp(log_temperature), axis=1)[rows, labels].mean())

    best: Any = minimize_scalar(negative_log_likelihood, bounds=(-3, 3), method="bounded")
    return float(np.exp(best.x))


def _resamplings(groups: Array) -> list[Array]:
    """Return row numbers of each bootstrap sample: whole groups drawn with replacement."""
    random = np.random.default_rng(0)
    _, group_of_row = np.unique(groups, return_inverse=True)
    order = np.argsort(group_of_row, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(group_of_row))[:-1])
    if len(members) == len(order):  # each row is its own group: one draw is one row
        return [random.integers(0, len(order), len(order)) for _ in range(RESAMPLES)]
    draws = (random.integers(0, len(members), len(members)) for _ in range(RESAMPLES))
    return [np.concatenate([members[group] for group in draw]) for draw in draws]


def _interval(metric: Callable[[Array, Array], float], labels: Array, predicted: Array, draws: list[Array]) -> Interval:
    values = [metric(labels[rows], predicted[rows]) for rows in draws]
    low, high = np.percentile(values, (2.5, 97.5))
    return Interval(float(metric(labels, predicted)), float(low), float(high))
