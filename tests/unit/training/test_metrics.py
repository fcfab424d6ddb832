"""Scores and calibration of a model card."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from training.metrics import balanced_accuracy, expected_calibration_error, fit_temperature, score
from triptych_client.contract import EMOTIONS

RANDOM = np.random.default_rng(0)


def noisy_logits(labels: np.ndarray, scale: float = 1.0) -> np.ndarray:
    return scale * (2.5 * np.eye(7)[labels] + RANDOM.normal(size=(len(labels), 7)))


def test_perfect_answers() -> None:
    labels = np.arange(70) % 7
    scores = score(labels, 9.0 * np.eye(7)[labels])
    assert scores.accuracy.value == scores.macro_f1.value == scores.balanced_accuracy.value == 1
    assert scores.accuracy.low == scores.accuracy.high == 1
    assert np.array_equal(scores.confusion, 10 * np.eye(7))
    assert [c.emotion for c in scores.classes] == list(EMOTIONS)
    assert {c.support for c in scores.classes} == {10}


def test_balanced_accuracy_counts_classes_equally() -> None:
    labels, predicted = np.array([0] * 9 + [1]), np.array([0] * 9 + [5])
    assert balanced_accuracy(labels, predicted) == pytest.approx(0.5)


def test_interval_holds_the_value_and_groups_widen_it() -> None:
    labels = np.repeat(np.arange(7), 60)
    logits = noisy_logits(labels)
    speakers = np.tile(np.arange(6), 70)
    logits[speakers < 2] = noisy_logits((labels[speakers < 2] + 1) % 7)  # two speakers are always misheard
    alone, grouped = score(labels, logits), score(labels, logits, speakers)
    assert alone.accuracy.low < alone.accuracy.value < alone.accuracy.high
    assert grouped.accuracy.high - grouped.accuracy.low > alone.accuracy.high - alone.accuracy.low


def test_temperature_mends_overconfidence() -> None:
    labels = RANDOM.integers(0, 7, 4000)
    logits = noisy_logits(labels)
    temperature = fit_temperature(labels, 3 * logits)
    assert temperature == pytest.approx(3 * fit_temperature(labels, logits), rel=1e-3)
    before = expected_calibration_error(labels, softmax(3 * logits, axis=1))
    after = expected_calibration_error(labels, softmax(3 * logits / temperature, axis=1))
    assert after < 0.03 < before


def test_calibration_error_of_a_known_gap() -> None:
    labels = np.array([0, 0, 1, 1])  # two of four right at a confidence of 0.9
    probabilities = np.tile([0.9, 0.1, 0, 0, 0, 0, 0], (4, 1))
    assert expected_calibration_error(labels, probabilities) == pytest.approx(0.4)
