"""Several emotions in one text: thresholds for each, and F1 with them."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from sklearn.metrics import precision_recall_curve
from sklearn.metrics import precision_recall_fscore_support as per_class_scores

from training.metrics import ClassScore, Interval
from triptych_client.contract import EMOTIONS

Array = np.ndarray
RESAMPLES = 1000


def best_thresholds(targets: Array, scores: Array) -> Array:
    """Return for each label the threshold [labels] of highest F1; NaN where no text has the label.

    Targets (0 or 1) and scores are [n, labels]. A threshold lies halfway between the lowest score that it admits and
    the next one below.
    """
    return np.array([_best_threshold(targets[:, label], scores[:, label]) for label in range(targets.shape[1])])


def macro_f1(targets: Array, scores: Array, thresholds: Array) -> float:
    """Return the unweighted mean of F1 over the labels that some text has, scores above their thresholds [labels]."""
    return float(_macro_f1(*_outcomes(targets, scores > thresholds), np.ones(len(targets))))


def macro_f1_interval(targets: Array, scores: Array, thresholds: Array) -> Interval:
    """Return macro-F1 with its bootstrap interval, texts being drawn."""
    outcomes = _outcomes(targets, scores > thresholds)
    random, n = np.random.default_rng(0), len(targets)
    draws = (np.bincount(random.integers(0, n, n), minlength=n) for _ in range(RESAMPLES))
    low, high = np.percentile([_macro_f1(*outcomes, counts) for counts in draws], (2.5, 97.5))
    return Interval(float(_macro_f1(*outcomes, np.ones(n))), float(low), float(high))


def per_label(targets: Array, scores: Array, thresholds: Array) -> list[ClassScore]:
    """Return precision, recall and F1 of each of EMOTIONS that some text has."""
    columns: Any = per_class_scores(targets, scores > thresholds, average=None, zero_division=cast(Any, 0))
    return [
        ClassScore(emotion, float(p), float(r), float(f), int(support))
        for emotion, p, r, f, support in zip(EMOTIONS, *columns, strict=True)
        if support
    ]


def _best_threshold(target: Array, score: Array) -> float:
    if not target.any():
        return float("nan")
    precision, recall, thresholds = precision_recall_curve(target, score)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    best = int(f1[:-1].argmax())
    below = thresholds[best - 1] if best else thresholds[best] - 1e-6
    return float((thresholds[best] + below) / 2)


def _outcomes(targets: Array, predicted: Array) -> tuple[Array, Array]:
    """Return true positives, and predicted plus actual positives, of the labels that some text has, [n, labels]."""
    present = targets.any(0)
    targets, predicted = targets[:, present].astype(float), predicted[:, present].astype(float)
    return targets * predicted, targets + predicted


def _macro_f1(true_positives: Array, positives: Array, counts: Array) -> Array:
    """Return the mean over labels of 2 TP / (2 TP + FP + FN), each text counted so often."""
    return (2 * (counts @ true_positives) / np.maximum(counts @ positives, 1)).mean()
