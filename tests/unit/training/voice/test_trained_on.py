"""Whose voices a model was trained on: written beside its weights, and believed only of these."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.speech import SpeechWindows
from training.voice import trained_on
from training.voice.spectrogram_cnn import FOLDS, NETWORK, SETTINGS
from training.voice.trained_on import TrainedOn
from triptych.errors import TriptychError
from triptych.paths import OWN_WEIGHTS


def speech() -> SpeechWindows:
    """Four clips of three speakers in two corpora; two speakers have the same number."""
    speakers = np.array(["ravdess 02", "ravdess 01", "emodb 02", "ravdess 01"])
    corpora = np.array(["ravdess", "ravdess", "emodb", "ravdess"])
    return SpeechWindows(torch.zeros(4, 1), np.arange(4), np.zeros(4, int), speakers, corpora, speakers)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    TrainedOn.of("spectrogram-cnn", speech(), 5, 7).write(path)
    return path


def test_it_is_read_as_it_was_written(weights: Path) -> None:
    found = TrainedOn.read(weights.parent)
    assert found == TrainedOn("spectrogram-cnn", {"emodb": ("02",), "ravdess": ("01", "02")}, 5, 7)
    assert found.known(["emodb 01", "emodb 02", "ravdess 01", "nemo 01"]) == {"emodb 02", "ravdess 01"}


def test_weights_that_say_nothing_are_of_unknown_training(tmp_path: Path) -> None:
    assert TrainedOn.read(tmp_path) is None


def test_what_was_said_of_other_weights_is_refused(weights: Path) -> None:
    weights.write_bytes(b"other weights")
    with pytest.raises(
        TriptychError, match=r"trained_on\.json is not of .*model\.safetensors, whose sha256 is another"
    ):
        TrainedOn.read(weights.parent)


@pytest.mark.parametrize("change", [{"format": "triptych-trained-on/9"}, {"speakers": ["01"]}, {"folds": None}, {}])
def test_a_damaged_file_is_named(weights: Path, change: dict[str, object]) -> None:
    path = weights.with_name(trained_on.FILE)
    content = json.loads(path.read_text(encoding="utf-8")) | change
    if not change or content["folds"] is None:
        del content["folds"]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(TriptychError, match=r"trained_on\.json cannot be read: .*Restore it, or train anew"):
        TrainedOn.read(weights.parent)


def test_the_published_voice_model_says_whose_voices_it_knows() -> None:
    published = TrainedOn.read(OWN_WEIGHTS / "spectrogram-cnn")
    assert published is not None
    assert (published.network, published.folds, published.seed) == (NETWORK, FOLDS, SETTINGS.seed)
    assert published.speakers["ravdess"] == tuple(f"{actor:02}" for actor in range(1, 21))
    assert len(published.speakers["emodb"]) == 8
