"""The export of the Audio Spectrogram Transformer. A wiring test: the checkpoint is tiny and its weights random."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ASTFeatureExtractor

from networks.sound import ast
from samples.graphs import session_of
from samples.tiny_audio import MEAN, STD, TAGS, save_ast
from triptych.errors import TriptychError
from triptych.sound import mel

RNG = np.random.default_rng(0)
NOISE = (0.1 * RNG.standard_normal(mel.FBANK_SAMPLES)).astype(np.float32)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory):
    source = tmp_path_factory.mktemp("checkpoint")
    model = save_ast(source)
    parts = ast.load(source)
    return model, parts, session_of(parts, "sound_tagger")


def padded(sound: np.ndarray) -> np.ndarray:
    """Sound at the beginning of a window of digital silence, as the last window of a clip has it."""
    return np.pad(sound, (0, mel.FBANK_SAMPLES - len(sound)))


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")
@pytest.mark.parametrize("samples", [mel.FBANK_SAMPLES, 400 + 160 * 399, 400], ids=["full", "4 s", "a frame"])
def test_parity_with_transformers_features_and_model(exported, samples: int):
    model, _, graph = exported
    sound = NOISE[:samples]
    features = mel.fbank(padded(sound))
    frames = 1 + (samples - mel.WIN_LENGTH) // mel.HOP_LENGTH
    if samples < mel.FBANK_SAMPLES:  # frames that reach over the end of the sound: transformers leaves them out
        features[frames : frames + 2] = np.log(mel.FBANK_FLOOR)
    (tags,) = graph.run(["TAGS"], {"FEATURES": np.stack([features, features])})
    prepared = ASTFeatureExtractor(mean=MEAN, std=STD)(sound, sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        expected = model(prepared["input_values"]).logits.sigmoid().numpy()
    assert tags.shape == (2, len(TAGS))
    np.testing.assert_allclose(tags, np.repeat(expected, 2, axis=0), atol=1e-4)
    assert tags.std() > 0.01


def test_parity_with_pytorch(exported):
    model, _, graph = exported
    features = np.stack([mel.fbank(sound) for sound in (NOISE, 0.01 * NOISE, padded(NOISE[:50_000]), 0 * NOISE)])
    given = graph.run(["TAGS", "SPEECH_TAGS"], {"FEATURES": features})
    wrapped = ast.AstTagger(model, ast.Preprocessing(MEAN, STD), TAGS)
    with torch.no_grad():
        for mine, theirs in zip(given, wrapped(torch.from_numpy(features)), strict=True):
            np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-4)
    tags, speech_tags = given
    np.testing.assert_allclose(speech_tags, np.stack([tags[:, 0], tags[:, 1] + tags[:, 2]], axis=1), atol=1e-6)


def test_silence_inside_a_sound_is_heard_as_silence(exported):
    model, _, _ = exported
    sound = NOISE.copy()
    sound[40_000:60_000] = 0
    wrapped = ast.AstTagger(model, ast.Preprocessing(MEAN, STD), TAGS)
    prepared = wrapped.prepare(torch.from_numpy(mel.fbank(sound))[None])[0]
    silent = (np.log(mel.FBANK_FLOOR) - MEAN) / (2 * STD)
    np.testing.assert_allclose(prepared[300], silent, atol=1e-5)
    np.testing.assert_allclose(prepared[-2:], -MEAN / (2 * STD), atol=1e-6)


def test_labels_are_those_of_the_checkpoint(exported):
    _, parts, _ = exported
    assert parts["labels.txt"].splitlines() == TAGS


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero values")
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path):
    save_ast(tmp_path, ["LABEL_0", "LABEL_1"])
    with pytest.raises(TriptychError, match="does not name the classes"):
        ast.load(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"max_length": 128}))
    with pytest.raises(TriptychError, match=r"hears 128 frames of 128 bands at 16000 Hz; it has to be 1024"):
        ast.Preprocessing.read(tmp_path)
    path.unlink()
    with pytest.raises(TriptychError, match="does not say how sound is prepared"):
        ast.Preprocessing.read(tmp_path)
