"""Fine-tuning wav2vec 2.0. A wiring test: the checkpoint is tiny, its weights random, the voices tones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification, Wav2Vec2Model

from networks.voice import wav2vec2, waveforms
from samples.graphs import session_of
from samples.speech_corpora import write_corpus
from samples.tiny_audio import wav2vec2_config
from training.data.augment_speech import augment_waveforms
from training.loop import Settings
from training.voice import wav2vec2 as voice_wav2vec2
from training.voice.trained_on import TrainedOn
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS, VOICE_SAMPLES

ONE_EPOCH = Settings(epochs=1, learning_rate=1e-3, warmup_epochs=0.5, ema_decay=0.5, precision="fp32")

SPEAKERS = ("emodb 0", "emodb 1", *(f"ravdess {number}" for number in range(5)))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-trained model without a head for emotions, as a hub has it."""
    folder = tmp_path_factory.mktemp("published")
    torch.manual_seed(0)
    Wav2Vec2Model(wav2vec2_config()).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tuned(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint after one epoch on miniatures of both corpora."""
    data, out = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("out")
    write_corpus(data, "ravdess", 5)
    write_corpus(data, "emodb", 2)
    return voice_wav2vec2.fine_tune(data, out, f"dir:{published}", ONE_EPOCH, batch_size=8)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return Wav2Vec2ForSequenceClassification.from_pretrained(folder, local_files_only=True).state_dict()


def test_the_transformer_learns_and_the_convolutions_stay(published: Path, tuned: Path) -> None:
    before, after = Wav2Vec2Model.from_pretrained(published).state_dict(), weights(tuned)
    changed = {name for name, value in before.items() if not torch.equal(value, after[f"wav2vec2.{name}"])}
    assert changed
    assert not [name for name in changed if name.startswith("feature_extractor.")]


def test_the_checkpoint_says_all_that_serving_needs(tuned: Path) -> None:
    config = json.loads((tuned / "config.json").read_text(encoding="utf-8"))
    assert [config["id2label"][str(index)] for index in range(7)] == list(EMOTIONS)
    assert 0.05 < config[waveforms.TEMPERATURE] < 20.1
    assert json.loads((tuned / "preprocessor_config.json").read_text(encoding="utf-8"))["do_normalize"] is True
    trained_on = TrainedOn.read(tuned)
    assert trained_on is not None
    assert trained_on.network == "wav2vec2"
    assert 0 < len(trained_on.known(SPEAKERS)) < len(SPEAKERS), "one fold's speakers are held out"
    card = (tuned / "README.md").read_text(encoding="utf-8")
    assert "--init dir:PATH" in card
    assert str(tuned.parent) not in card


def test_it_is_exported_as_it_was_trained(tuned: Path) -> None:
    session = session_of(wav2vec2.WaveformEmotion.load(tuned), "voice_emotion")
    sound = np.random.default_rng(0).normal(0, 0.1, (2, VOICE_SAMPLES)).astype(np.float32)
    (logits,) = session.run(["LOGITS"], {"FEATURES": sound[:, None]})
    model = Wav2Vec2ForSequenceClassification.from_pretrained(tuned, local_files_only=True).eval()
    with torch.inference_mode():
        trained = voice_wav2vec2.Logits(model)(torch.from_numpy(sound)).numpy()
    np.testing.assert_allclose(logits, trained / getattr(model.config, waveforms.TEMPERATURE), atol=1e-4)


def test_what_cannot_be_loaded_or_written_is_named(published: Path, tmp_path: Path) -> None:
    with pytest.raises(TriptychError, match=r"there is no config\.json"):
        voice_wav2vec2.load(f"dir:{tmp_path}", 0)
    (tmp_path / "model").write_text("in the way", encoding="utf-8")
    with pytest.raises(TriptychError, match=r"cannot write .*the last checkpoint.pt is kept"):
        voice_wav2vec2.save(voice_wav2vec2.load(f"dir:{published}", 0), 1.0, tmp_path / "model")


def test_unit_variance_as_transformers_has_it() -> None:
    sounds = np.random.default_rng(0).normal(0.2, 0.05, (3, VOICE_SAMPLES)).astype(np.float32)
    sounds[2] = 0
    expected = Wav2Vec2FeatureExtractor(do_normalize=True)(list(sounds), sampling_rate=16000, return_tensors="pt")
    torch.testing.assert_close(
        waveforms.normalise(torch.from_numpy(sounds)), expected["input_values"], atol=1e-4, rtol=1e-4
    )


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_noise_is_5_to_30_db_below_the_sound(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    sound = torch.randn((64, 4000), generator=generator).half()
    noise = augment_waveforms(sound, generator) - sound.float()
    snr_db = -10 * torch.log10(noise.square().mean(1) / sound.float().square().mean(1))
    noisy = torch.isfinite(snr_db)
    assert 0.4 < noisy.float().mean() < 0.95
    assert ((snr_db[noisy] > 4.9) & (snr_db[noisy] < 30.1)).all()


def test_silence_stays_silent() -> None:
    assert not augment_waveforms(torch.zeros(4, 4000), torch.Generator().manual_seed(0)).any()
