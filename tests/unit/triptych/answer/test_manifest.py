"""The manifest that an export states to the fusion step: read whole, or refused by the name of what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samples.fusion import trained
from triptych.answer.adaptation import Adaptation, Offset
from triptych.answer.manifest import Manifest
from triptych.answer.parameters import Calibration
from triptych.answer.status import OK
from triptych.errors import TriptychError

LABELS = ("Speech", "Giggle")
FACE = {
    "step": "expression",
    "role": "face",
    "name": "fer-cnn",
    "sha256": "0" * 64,
    "licence": "MIT",
    "vacant": False,
    "calibrated": True,
}
WORDS = {**FACE, "step": "text_emotion", "role": "words", "name": "bert", "languages": ["en"], "calibrated": False}
VOICE = {**FACE, "step": "voice_emotion", "role": "voice", "name": "no-voice", "vacant": True, "calibrated": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_models(tmp_path, FACE, WORDS, VOICE)
    (tmp_path / "labels.txt").write_text("\n".join(LABELS), encoding="utf-8")
    trained().write(tmp_path / "fusion.json", {})
    Calibration(np.full(7, 2.0), np.zeros(7)).write(tmp_path / "calibration" / "face.json", "fer-cnn", "", {})
    return tmp_path


def write_models(folder: Path, *lines: dict[str, Any]) -> None:
    (folder / "models.json").write_text(json.dumps(lines, ensure_ascii=False), encoding="utf-8")


def test_the_manifest_is_read_with_its_numbers(folder: Path):
    manifest = Manifest.read(folder)
    assert manifest.models == (("face", "fer-cnn", "0" * 64, "MIT"), ("words", "bert", "0" * 64, "MIT"))
    assert manifest.vacant == {"voice"}
    assert manifest.labels == LABELS
    assert not manifest.parameters.pooled
    assert manifest.calibrations.keys() == {"face"}
    assert manifest.calibrations["face"].scale.tolist() == [2.0] * 7
    assert manifest.languages == {"en"}


def test_an_adaptation_is_named_and_moves_its_channel_alone(folder: Path):
    offset = np.arange(7.0) - 3
    adaptation = Adaptation(
        "ward 7", 0.2, {"face": Offset("fer-cnn", 30, offset), "words": Offset("another", 30, offset)}
    )
    (folder / "adaptation.json").write_bytes(adaptation.text())
    manifest = Manifest.read(folder)
    assert manifest.models[-1][:2] == ("adaptation", "ward 7 (face)")
    assert manifest.channel("face", OK).calibrated(np.zeros((1, 7))).tolist() == [offset.tolist()]
    assert manifest.channel("words", OK).calibrated(np.zeros((1, 7))).tolist() == [[0] * 7]
    assert manifest.channel("words", OK).status.reason == "uncalibrated"
    plain, expected = trained().bias, manifest.parameters.bias
    odds = np.exp(expected - plain)
    assert odds[6] / odds[0] == pytest.approx(0.2 / (0.8 / 6), abs=1e-4)


@pytest.mark.parametrize("name", ["fusion.json", "calibration/face.json", "models.json", "labels.txt"])
def test_a_file_that_is_missing_is_refused_by_name(name: str, folder: Path):
    (folder / name).unlink()
    with pytest.raises(TriptychError, match=rf"{Path(name).name}.*triptych export"):
        Manifest.read(folder)


def cut(folder: Path) -> None:
    path = folder / "models.json"
    path.write_text(path.read_text(encoding="utf-8")[:-9], encoding="utf-8")


def leave_out_whether_it_is_calibrated(folder: Path) -> None:
    write_models(folder, {key: value for key, value in FACE.items() if key != "calibrated"})


@pytest.mark.parametrize("spoil", [cut, leave_out_whether_it_is_calibrated])
def test_a_manifest_that_is_not_whole_is_refused(spoil: Callable[[Path], None], folder: Path):
    spoil(folder)
    with pytest.raises(TriptychError, match=r"the manifest in .* is not whole.*run `triptych export`"):
        Manifest.read(folder)


def test_a_calibration_of_another_model_is_refused(folder: Path):
    write_models(folder, {**FACE, "name": "swinv2"})
    with pytest.raises(TriptychError, match="fer-cnn, not swinv2"):
        Manifest.read(folder)


def test_it_is_read_under_an_ascii_locale(folder: Path):
    write_models(folder, {**FACE, "licence": "« свободная »"})
    code = (
        "import sys; from pathlib import Path; from triptych.answer.manifest import Manifest; "
        "print(ascii(Manifest.read(Path(sys.argv[1])).models[0][3]))"
    )
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ascii_only["PYTHONPATH"] = os.pathsep.join(sys.path)
    run = subprocess.run(
        [sys.executable, "-c", code, folder], env=ascii_only, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == ascii("« свободная »")
