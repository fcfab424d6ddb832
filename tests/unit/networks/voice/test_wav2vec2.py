"""The export of wav2vec 2.0, HuBERT and WavLM. A wiring test: the checkpoints are tiny and their weights random."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

from networks.class_order import ToEmotions
from networks.voice.wav2vec2 import WaveformEmotion
from samples.graphs import session_of
from samples.label_sets import RAVDESS, SUPERB
from samples.tiny_audio import EMOTION_ORDER, TEMPERATURE, save_voice, save_wav2vec2
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS, VOICE_SAMPLES


def reference(model: Wav2Vec2ForSequenceClassification, sounds: np.ndarray) -> np.ndarray:
    """Run transformers' own feature extractor and model."""
    prepared = Wav2Vec2FeatureExtractor(do_normalize=True)(list(sounds), sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        return model(prepared["input_values"]).logits[:, EMOTION_ORDER].numpy() / TEMPERATURE


@pytest.fixture(scope="module", params=["group", "layer"], ids=["as base", "as large"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    source = tmp_path_factory.mktemp("checkpoint")
    model = save_wav2vec2(source, request.param)
    return model, session_of(WaveformEmotion.load(source), "voice_emotion")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_parity(exported, count: int):
    model, graph = exported
    rng = np.random.default_rng(count)
    sounds = (rng.normal(0.01, 0.1, (count, VOICE_SAMPLES)) * np.linspace(0, 1, VOICE_SAMPLES)).astype(np.float32)
    (logits,) = graph.run(["LOGITS"], {"FEATURES": sounds[:, None]})
    assert logits.shape == (count, len(EMOTIONS))
    np.testing.assert_allclose(logits, reference(model, sounds), atol=1e-4)
    assert logits.std() > 0.01


def test_silence_gives_finite_logits_and_gain_does_not_matter(exported):
    _, graph = exported
    sound = np.random.default_rng(0).normal(0, 0.1, VOICE_SAMPLES).astype(np.float32)
    rows = np.stack([np.zeros_like(sound), sound, 3 * sound])[:, None]
    silent, quiet, loud = graph.run(["LOGITS"], {"FEATURES": rows})[0]
    assert np.isfinite(silent).all()
    np.testing.assert_allclose(quiet, loud, atol=1e-3)


OTHERS = {
    "wav2vec 2.0 of SUPERB": ("wav2vec2", "group", SUPERB, True),
    "HuBERT large": ("hubert", "layer", SUPERB, False),
    "WavLM, all layers": ("wavlm", "group", RAVDESS, True),
}


@pytest.mark.parametrize(("kind", "norm", "labels", "layer_sum"), OTHERS.values(), ids=OTHERS.keys())
def test_parity_with_the_published_class(tmp_path: Path, kind: str, norm: str, labels: dict[str, str], layer_sum: bool):
    model = save_voice(tmp_path, kind, norm, list(labels), layer_sum)
    graph = session_of(WaveformEmotion.load(tmp_path), "voice_emotion")
    for count in (1, 3):
        sounds = np.random.default_rng(count).normal(0.01, 0.1, (count, VOICE_SAMPLES)).astype(np.float32)
        (logits,) = graph.run(["LOGITS"], {"FEATURES": sounds[:, None]})
        prepared = Wav2Vec2FeatureExtractor(do_normalize=True)(list(sounds), sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            expected = ToEmotions(list(labels))(model(prepared["input_values"]).logits).numpy()
        assert logits.shape == (count, len(EMOTIONS))
        np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-4)  # random logits reach 100
    assert logits.std() > 0.01


def test_another_architecture_is_refused(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    with pytest.raises(TriptychError, match="is a whisper: voices take one of wav2vec2, hubert, wavlm"):
        WaveformEmotion.load(tmp_path)


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path):
    save_wav2vec2(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"sampling_rate": 8000}))
    with pytest.raises(TriptychError, match=r"hears sound at 8000 Hz; it has to be 16000"):
        WaveformEmotion.load(tmp_path)
    path.unlink()
    with pytest.raises(TriptychError, match="does not say how sound is prepared"):
        WaveformEmotion.load(tmp_path)


def test_a_checkpoint_that_wants_the_sound_as_it_is_gets_it(tmp_path: Path):
    model = save_wav2vec2(tmp_path)
    Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)
    sound = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (1, VOICE_SAMPLES)).astype(np.float32))
    with torch.no_grad():
        logits = WaveformEmotion.load(tmp_path).eval()(sound[:, None])
        expected = model(sound).logits[:, EMOTION_ORDER] / TEMPERATURE
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)
