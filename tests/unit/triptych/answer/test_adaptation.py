"""Adaptation to unlabelled footage: what leans is set upright, what is right stays, and the file says whose it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from triptych.answer import adaptation
from triptych.answer.adaptation import Adaptation, Offset, equal, with_neutral
from triptych.answer.parameters import Calibration
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

ANGER, NEUTRAL = EMOTIONS.index("anger"), EMOTIONS.index("neutral")


def clips(prior: np.ndarray, count: int = 1500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from a prior, and calibrated logits of equal priors that are right about them."""
    random = np.random.default_rng(seed)
    labels = random.choice(len(EMOTIONS), count, p=prior)
    logits = random.normal(size=(count, len(EMOTIONS)))
    logits[np.arange(count), labels] += 2.0
    return labels, 2.0 * (logits - logits.mean(1, keepdims=True))


def recall(labels: np.ndarray, logits: np.ndarray) -> float:
    found = logits.argmax(1)
    return float(np.mean([(found[labels == one] == one).mean() for one in np.unique(labels)]))


def test_a_leaning_is_taken_away():
    labels, logits = clips(equal())
    leaning = np.zeros(len(EMOTIONS))
    leaning[ANGER] = 6.0
    offset = adaptation.fit(logits + leaning, equal())
    assert recall(labels, logits + leaning) < 0.4
    assert recall(labels, logits + leaning + offset) == pytest.approx(recall(labels, logits), abs=0.01)
    np.testing.assert_allclose(offset, -(leaning - leaning.mean()), atol=0.35)


def test_what_does_not_lean_stays():
    for prior in (equal(), with_neutral(0.6)):
        np.testing.assert_allclose(adaptation.fit(clips(prior)[1], prior), 0, atol=0.35)


def test_footage_that_is_mostly_neutral_is_not_taken_for_a_leaning_to_it():
    _, logits = clips(with_neutral(0.6))
    assert adaptation.fit(logits, equal())[NEUTRAL] < -0.4
    assert abs(adaptation.fit(logits, with_neutral(0.6))[NEUTRAL]) < 0.3


def test_a_channel_that_says_the_same_of_every_clip_ends_by_saying_nothing():
    offset = adaptation.fit(np.tile(np.eye(7)[ANGER] * 4, (500, 1)), equal())
    assert np.ptp(softmax(np.eye(7)[ANGER] * 4 + offset)) < 0.05


def test_few_clips_move_little():
    one = np.eye(7)[ANGER] * 4
    few, many = (adaptation.fit(np.tile(one, (count, 1)), equal()) for count in (1, 200))
    assert 0 < np.ptp(few) < 0.8 * np.ptp(many)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.integers(1, 60), st.floats(0.01, 0.99))
def test_offsets_are_numbers_whatever_is_said(seed: int, count: int, neutral: float):
    logits = np.random.default_rng(seed).normal(scale=20, size=(count, len(EMOTIONS)))
    offset = adaptation.fit(logits, with_neutral(neutral))
    assert np.isfinite(offset).all()
    assert offset.sum() == pytest.approx(0, abs=1e-6)


def adapted() -> Adaptation:
    return Adaptation("ward 7", 0.5, {"voice": Offset("whisper-states", 40, np.arange(7.0) - 3)})


def test_an_adaptation_is_applied_after_the_calibration_and_can_be_taken_back():
    logits = np.random.default_rng(0).normal(size=(5, 7))
    calibration = Calibration(np.full(7, 2.0), np.linspace(-0.3, 0.3, 7))
    moved = adapted().applied("voice", calibration).apply(logits)
    np.testing.assert_allclose(adapted().taken_back("voice", moved), calibration.apply(logits))
    assert adapted().applied("face", calibration) is calibration


def test_it_is_of_one_model():
    assert adapted().of({"voice": "whisper-states", "face": "swinv2"}).channels.keys() == {"voice"}
    assert not adapted().of({"voice": "wav2vec2"}).channels


def test_what_is_written_is_read(tmp_path: Path):
    path = tmp_path / "adaptation.json"
    path.write_bytes(adapted().text())
    read = Adaptation.read(path)
    assert (read.name, read.neutral) == ("ward 7", 0.5)
    assert read.channels["voice"].offset.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    (row,) = read.row
    assert row[:2] == ("adaptation", "ward 7 (voice)")
    assert len(row[2]) == 64
    assert Adaptation.read(tmp_path / "none.json").row == ()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"format": "triptych-fusion/1"}',
        '{"format": "triptych-adaptation/1", "name": "x", "neutral": 0.1, "channels": {"voice": {"offset": [1]}}}',
        '{"format": "triptych-adaptation/1", "name": "x", "neutral": 0.1, "channels": {"voice": '
        '{"entry": "a", "clips": 3, "offset": [0, 0, 0, 0, 0, 0, NaN]}}}',
    ],
)
def test_another_file_is_refused(text: str, tmp_path: Path):
    path = tmp_path / "adaptation.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TriptychError, match=r"is no adaptation.*`triptych adapt FOLDER` makes one"):
        Adaptation.read(path)
