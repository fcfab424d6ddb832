"""Scores of answers that were written here: right, sure, by subset, against others, and what is kept of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training import metrics
from training.evaluation import scores
from training.evaluation.answered import FILE, Answered
from training.evaluation.evaluate import CONFUSION, PAGE, PICTURE, write
from triptych.answer.parameters import FEATURES, Parameters
from triptych.errors import TriptychError
from triptych_client.contract import CHANNELS, EMOTIONS

POOL = Parameters.opinion_pool()


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metrics, "RESAMPLES", 20)
    monkeypatch.setattr(scores, "RESAMPLES", 20)


def answered(certainty: float = 0.64, wrong: int = 7, groups: int = 2) -> Answered:
    """Fourteen clips, two of each emotion, the first `wrong` of them answered by the emotion after theirs.

    A face says the label in each; the voice, which the second half lacks, always anger.
    """
    labels = np.tile(np.arange(len(EMOTIONS)), 2)
    said = np.where(np.arange(14) < wrong, (labels + 1) % len(EMOTIONS), labels)
    probabilities = np.full((14, len(EMOTIONS)), (1 - certainty) / 6)
    probabilities[np.arange(14), said] = certainty
    evidence = np.full((14, len(CHANNELS), FEATURES), np.nan)
    evidence[:, 0] = np.hstack([np.eye(len(EMOTIONS))[labels]] * 2)
    evidence[:7, 2] = np.hstack([np.eye(len(EMOTIONS))[0]] * 2)
    return Answered(
        tuple(f"{number}.mp4" for number in range(14)),
        tuple(f"person {number % groups}" for number in range(14)),
        labels,
        probabilities,
        np.arange(14) == 3,
        evidence,
        {"face": "swinv2"},
    )


def test_what_is_surer_than_right_shows():
    whole = scores.whole(answered())
    assert (whole.clips, whole.accuracy.value) == (14, 0.5)
    assert whole.certainty == pytest.approx(0.64)
    assert whole.ece == pytest.approx(0.14)


def test_few_clips_are_seldom_right_exactly_as_often_as_they_are_sure():
    probabilities = answered().probabilities
    few, many = scores.calibrated_ece(probabilities), scores.calibrated_ece(np.repeat(probabilities, 100, axis=0))
    assert few.low < few.value < few.high
    assert few.value > 0.05 > 0.02 > many.value
    assert scores.calibrated_ece(np.eye(len(EMOTIONS))).high == 0


def test_subsets_are_measured_on_the_clips_that_have_them():
    lines = {line.name: line for line in scores.by_subset(answered(), POOL)}
    assert lines.keys() == {"face", "voice", "face + voice"}
    assert (lines["face"].clips, lines["face"].accuracy.value) == (14, 1.0)
    assert (lines["voice"].clips, lines["voice"].accuracy.value) == (7, pytest.approx(1 / 7))


def test_by_group():
    lines = scores.by(answered(wrong=0), lambda one: one.groups)
    assert [(line.name, line.clips, line.accuracy.value) for line in lines] == [("person 0", 7, 1), ("person 1", 7, 1)]


def test_what_changed_against_another_export():
    before, after = answered(certainty=0.9), answered(certainty=0.6, wrong=5)
    changes = {change.score: change for change in scores.against(after, before)}
    assert changes["right"].difference.value == pytest.approx(2 / 14)
    assert (changes["certainty"].before, changes["certainty"].after) == (pytest.approx(0.9), pytest.approx(0.6))
    assert changes["ECE"].difference.value == pytest.approx(abs(0.6 - 9 / 14) - 0.4)
    assert changes["right"].difference.low <= 2 / 14 <= changes["right"].difference.high


def test_other_clips_are_not_compared():
    other = replace(answered(), files=tuple(f"other {number}.mp4" for number in range(14)))
    with pytest.raises(TriptychError, match="of other clips"):
        scores.against(answered(), other)


def test_page_pictures_and_a_file_that_can_be_compared_with(tmp_path: Path):
    one = answered()
    page = write(one, POOL, tmp_path, scores.against(one, answered(wrong=0)))
    assert "**Right in 0.50 of 14 clips, at a certainty of 0.64** (expected calibration error 0.140; on so many" in page
    assert page.splitlines()[2].endswith("; 1 abstained.")
    assert "say nothing of how much groups differ" in page
    assert "## Against the other export" in page
    assert (tmp_path / PAGE).read_text() == page
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in (PICTURE, CONFUSION))
    read = Answered.read(tmp_path / FILE)
    assert (read.files, read.groups, read.models) == (one.files, one.groups, one.models)
    np.testing.assert_allclose(read.probabilities, one.probabilities, atol=1e-6)
    np.testing.assert_array_equal(read.evidence, one.evidence)
    np.testing.assert_array_equal(read.abstained, one.abstained)


def test_another_file_is_refused(tmp_path: Path):
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(TriptychError, match="is no evaluation"):
        Answered.read(tmp_path / FILE)


def test_reliability_is_measured_on_clips_that_every_channel_answers():
    found = answered()
    with pytest.raises(TriptychError, match="every channel"):
        scores.reliability(found, "clips")
    filled = np.where(np.isnan(found.evidence), 0, found.evidence)
    filled[10:, 1] = np.nan
    measured = scores.reliability(replace(found, evidence=filled), "clips")
    assert measured.bins[0].tolist() == [0, 1, 0.3, 10]
