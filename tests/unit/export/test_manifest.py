"""The trained numbers of the fusion step: which of them an export puts beside the manifest."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from export import catalog, manifest
from export.manifest import Served
from samples.fusion import trained
from triptych.answer.parameters import Calibration


def line(role: str, name: str, vacant: bool = False, source_sha256: str = "") -> Served:
    return Served(role, role, name, name, "0" * 64, "MIT", vacant, "", source_sha256, ())


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of trained numbers: the regression, and the calibration of mini-Xception."""
    folder = tmp_path / "weights"
    trained().write(folder / "fusion" / "fusion.json", {})
    Calibration().write(folder / "fer-cnn" / "calibration.json", "fer-cnn", "", {})
    monkeypatch.setattr(manifest, "OWN_WEIGHTS", folder)
    return folder


def copied(target: Path, *served: Served) -> set[str]:
    target.mkdir(exist_ok=True)
    manifest.replace_numbers(target, served)
    return {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}


def test_the_regression_and_the_calibration_of_the_model_in_the_slot_are_copied(tmp_path: Path, weights: Path):
    assert copied(tmp_path / "1", line("face", "fer-cnn"), line("voice", "no-voice", vacant=True)) == {
        "fusion.json",
        "calibration/face.json",
    }


def test_another_model_does_not_get_the_calibration_of_the_one_before(tmp_path: Path, weights: Path):
    copied(tmp_path / "1", line("face", "fer-cnn"))
    assert copied(tmp_path / "1", line("face", "swinv2-checkpoint")) == {"fusion.json"}


def test_a_calibration_of_other_weights_is_left_out_with_a_warning(
    tmp_path: Path, weights: Path, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        assert copied(tmp_path / "1", line("face", "fer-cnn", source_sha256="abc")) == {"fusion.json"}
    assert "fer-cnn/calibration.json is of other weights: run `triptych train fusion --calibrate face`" in caplog.text


def test_without_training_there_are_no_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(manifest, "OWN_WEIGHTS", tmp_path / "none")
    assert copied(tmp_path / "1", line("face", "fer-cnn")) == set()


def test_languages_are_codes():
    for entry in catalog.load().values():
        assert all(len(code) == 2 and code.islower() for code in entry.languages), entry.name
