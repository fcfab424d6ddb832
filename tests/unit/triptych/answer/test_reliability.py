"""How often answers as sure as this one were right: measured, kept with the numbers that it is of, and looked up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from triptych.answer.reliability import FEWEST_CLIPS, Reliability
from triptych.errors import TriptychError

MODELS = {"face": "swinv2", "words": "bert"}


@pytest.fixture
def fusion(tmp_path: Path) -> Path:
    path = tmp_path / "fusion.json"
    path.write_text("{}", encoding="utf-8")
    return path


def measured(clips: int = 60) -> Reliability:
    """Clips in order of certainty: the sure third is right, the others every second time."""
    certainty = np.linspace(0.2, 0.98, clips)
    right = (np.arange(clips) % 2 == 0) | (certainty > np.sort(certainty)[2 * clips // 3 - 1])
    return Reliability.measure(certainty, right, "made up")


def test_answers_are_as_reliable_as_those_that_were_as_sure():
    found = measured()
    assert found.bins[:, 3].tolist() == [FEWEST_CLIPS] * 3
    assert found.of(0.3)[2] == found.of(0.0)[2] == 0.5
    assert found.of(0.97)[2] == found.of(1.0)[2] == 1.0


def test_the_bins_touch_and_reach_from_nothing_to_certainty():
    bins = measured(70).bins
    assert (bins[0, 0], bins[-1, 1]) == (0, 1)
    assert bins[1:, 0].tolist() == bins[:-1, 1].tolist()
    assert bins[:, 3].sum() == 70


def test_few_clips_are_one_bin():
    assert len(measured(FEWEST_CLIPS - 1).bins) == 1


def test_it_is_read_as_it_was_written(fusion: Path, tmp_path: Path):
    measured().write(tmp_path / "reliability.json", fusion, MODELS, "a command")
    found = Reliability.read(tmp_path / "reliability.json", fusion, MODELS)
    np.testing.assert_allclose(found.bins, measured().bins, atol=1e-4)
    assert found.on == "made up"


def test_it_says_nothing_of_other_models_or_another_fusion(fusion: Path, tmp_path: Path):
    path = tmp_path / "reliability.json"
    measured().write(path, fusion, MODELS, "a command")
    assert np.isnan(Reliability.read(path, fusion, {**MODELS, "face": "other"}).of(0.9)).all()
    fusion.write_text('{"weights": 1}', encoding="utf-8")
    assert np.isnan(Reliability.read(path, fusion, MODELS).of(0.9)).all()


def test_where_nothing_was_measured_nothing_is_said(fusion: Path, tmp_path: Path):
    assert Reliability.read(tmp_path / "reliability.json", fusion, MODELS).on == ""


@pytest.mark.parametrize("content", ["", "[]", '{"format": "other"}'])
def test_another_file_is_refused_by_name(content: str, fusion: Path, tmp_path: Path):
    path = tmp_path / "reliability.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TriptychError, match=r"reliability\.json"):
        Reliability.read(path, fusion, MODELS)
