"""The voice channel's training: recordings, windows, augmentation and cross-validation over speakers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from networks import weights
from networks.voice.spectrogram_cnn import ServedVoice
from samples.speech_corpora import flac, tone, write_corpus
from training.data import augment_speech
from training.data import speech as data_speech
from training.loop import Settings
from training.metrics import fit_temperature
from training.voice import card, spectrogram_cnn
from training.voice.trained_on import TrainedOn
from triptych.errors import TriptychError
from triptych.sound.mel import voice_log_mel
from triptych_client.contract import EMOTIONS, SAMPLE_RATE_HZ, VOICE_SAMPLES

ONE_EPOCH = Settings(epochs=1, learning_rate=1e-3, warmup_epochs=0.5, precision="fp32")
SPEAKERS = {"emodb 0", "emodb 1", *(f"ravdess {number}" for number in range(5))}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature of both corpora: 5 + 2 speakers, 7 emotions."""
    folder = tmp_path_factory.mktemp("data")
    write_corpus(folder, "ravdess", 5)
    write_corpus(folder, "emodb", 2)
    return folder


def test_loads_clips_with_labels_and_speakers(data: Path) -> None:
    speech = data_speech.load(data)
    assert np.bincount(speech.labels).tolist() == [7] * 7
    assert set(speech.speakers) == SPEAKERS
    assert speech.windows.shape == (len(speech.clip_of_window), 64, 300)
    assert sorted(set(np.bincount(speech.clip_of_window))) == [1, 3]  # of 1 s: padded; of 3.6 s: at 0, 0.5 and 0.6 s


def test_choosing_clips_keeps_what_belongs_together(data: Path) -> None:
    speech = data_speech.load(data)
    clips = np.flatnonzero(speech.speakers == "ravdess 1")
    part = speech.choose(clips)
    assert set(part.speakers) == {"ravdess 1"}
    assert sorted(set(part.clip_of_window)) == list(range(len(clips)))
    first = speech.windows[int(np.flatnonzero(speech.clip_of_window == clips[0])[0])]
    assert torch.equal(part.windows[0], first)


def test_decodes_what_was_encoded() -> None:
    pcm = tone(1.3)
    decoded = data_speech.decode(flac(pcm))
    np.testing.assert_allclose(decoded, pcm, atol=1e-4)


@given(st.integers(1, 6 * SAMPLE_RATE_HZ))
@settings(max_examples=30, deadline=None)
def test_windows_cover_every_sample(samples: int) -> None:
    pcm = np.arange(1, samples + 1, dtype=np.float32)
    windows = data_speech.cut(pcm)
    assert {window.shape for window in windows} == {(VOICE_SAMPLES,)}
    assert set(np.unique(np.concatenate(windows))) - {0.0} == set(pcm)


def test_missing_damaged_and_empty_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(TriptychError, match=r"no ravdess_labels.csv.*--data is the folder"):
        data_speech.load(tmp_path)
    write_corpus(tmp_path, "ravdess", 1, EMOTIONS[:3])
    write_corpus(tmp_path, "emodb", 1, EMOTIONS[:3])
    with pytest.raises(TriptychError, match="no clip of happiness, sadness"):
        data_speech.load(tmp_path)
    archive = tmp_path / data_speech.FOLDER / "emodb_flac16.tar"
    archive.write_bytes(archive.read_bytes().replace(b"fLaC", b"nope"))
    with pytest.raises(TriptychError, match=r"emodb_flac16.tar: .*not a readable recording"):
        data_speech.load(tmp_path)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_augmented_windows_are_log_mels(seed: int) -> None:
    silence_and_tone = torch.stack([torch.from_numpy(voice_log_mel(pcm)) for pcm in (np.zeros(48000, "f4"), tone(3))])
    augmented = augment_speech.augment(silence_and_tone, torch.Generator().manual_seed(seed))
    assert augmented.shape == (2, 64, 300)
    assert torch.isfinite(augmented).all()
    assert augmented.min() >= augment_speech.FLOOR - 1e-4


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0], ids=["white", "pink", "brown"])
def test_noise_fills_the_bands_as_noise_in_the_sound_does(slope: float) -> None:
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(VOICE_SAMPLES))
    hz = np.fft.rfftfreq(VOICE_SAMPLES, 1 / SAMPLE_RATE_HZ)
    sound = np.fft.irfft(spectrum * np.maximum(hz, 1) ** (-slope / 2) * (hz > 31))  # a bin's width: no infinite bass
    heard = np.exp(voice_log_mel((sound / sound.std()).astype(np.float32))).mean(1)
    added = augment_speech.band_powers(torch.tensor([slope]))[0].numpy()
    decibels = 10 * np.log10(heard / heard.sum() / (added / added.sum()))
    assert np.abs(decibels[4:]).max() < 3  # the lowest bands hold a bin or two, and the window leaks into them


@pytest.mark.parametrize("ratio_db", [0.0, 20.0])
def test_noise_has_the_power_asked_for(ratio_db: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment_speech, "SNR_DB", (ratio_db, ratio_db))
    clean = torch.from_numpy(voice_log_mel(tone(3)))[None]
    noisy = augment_speech.add_noise(clean, torch.Generator().manual_seed(0))
    power, mixed = (10 * np.log10(mel.exp().sum(1).mean().item()) for mel in (clean, noisy))
    assert mixed - power == pytest.approx(10 * np.log10(1 + 10 ** (-ratio_db / 10)), abs=0.3)


def test_batches_take_each_clip_once(data: Path) -> None:
    speech = data_speech.load(data)
    batches = list(data_speech.batches(speech, 7, torch.Generator().manual_seed(0)))
    assert len(batches) == 7
    labels = torch.cat([labels for _, labels in batches])
    assert torch.bincount(labels).tolist() == [7] * 7


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole training, an epoch each of five folds and of the final model."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.voice.spectrogram_cnn.BATCH_SIZE", 7)
        patch.setattr("training.metrics.RESAMPLES", 10)
        spectrogram_cnn.train_voice(data, folder, ONE_EPOCH)
    return folder


def test_the_run_leaves_weights_and_a_card(run: Path) -> None:
    page = (run / "README.md").read_text(encoding="utf-8")
    assert "| unweighted average recall | 0." in page
    assert "for the best of 7." in page
    assert "each fold is measured at the temperature that suits the others" in page
    assert (run / weights.FILE).stat().st_size < 2e6
    ServedVoice.load(run)


def test_everybody_is_held_out_by_one_fold_and_known_to_the_model_of_all(run: Path) -> None:
    folds = spectrogram_cnn.load_folds(run)
    assert len(folds) == spectrogram_cnn.FOLDS
    held_out = [SPEAKERS - fold.trained_on.known(SPEAKERS) for fold in folds]
    assert all(held_out), "each fold holds somebody out"
    assert sorted(name for names in held_out for name in names) == sorted(SPEAKERS)
    final = TrainedOn.read(run)
    assert final is not None
    assert final.known(SPEAKERS) == SPEAKERS


def test_clips_are_answered_by_the_fold_that_does_not_know_the_speaker(run: Path, data: Path) -> None:
    speech, folds = data_speech.load(data), spectrogram_cnn.load_folds(run)
    logits = spectrogram_cnn.predict_held_out(folds, speech)
    answered = 0
    for fold in folds:
        rows = np.flatnonzero([not fold.trained_on.knows(speaker) for speaker in speech.speakers])
        with torch.inference_mode():
            own = spectrogram_cnn.predict(fold.model, speech.choose(rows))
        np.testing.assert_allclose(logits[rows], own, atol=1e-5)
        answered += len(rows)
    assert answered == len(logits)


def test_a_run_that_does_not_say_whom_it_knows_is_refused(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "fold2" / "trained_on.json").unlink()
    with pytest.raises(TriptychError, match=r"no .*fold2.*trained_on\.json: .* `triptych train voice` of this release"):
        spectrogram_cnn.load_folds(copy)


def test_a_fold_is_calibrated_by_the_others(data: Path) -> None:
    speech = data_speech.load(data)
    logits = np.eye(7, dtype=np.float32)[speech.labels] + np.random.default_rng(0).normal(0, 0.5, (49, 7))
    calibrated = spectrogram_cnn.calibrate(speech, logits, seed=0)
    for kept, held_out in spectrogram_cnn.folds(speech, seed=0):
        temperature = fit_temperature(speech.labels[kept], logits[kept])
        np.testing.assert_allclose(calibrated[held_out] * temperature, logits[held_out], rtol=1e-5)


def test_the_card_tells_corpora_and_speakers_apart(data: Path) -> None:
    speech = data_speech.load(data)
    logits = np.eye(7, dtype=np.float32)[speech.labels]
    logits[speech.speakers == "emodb 1"] = 1.0  # the first emotion, whatever was said
    results = card.results_by_group(speech, logits)
    assert results["corpora"] == [("emodb", "0.571"), ("ravdess", "1.000")]
    assert results["speakers"] == {"worst": pytest.approx(1 / 7), "middle": 1.0, "best": 1.0, "count": 7}


def test_needs_a_speaker_for_each_fold(data: Path, tmp_path: Path) -> None:
    speech = data_speech.load(data)
    few = speech.choose(np.flatnonzero(np.char.startswith(speech.speakers, "emodb")))
    with pytest.raises(TriptychError, match="2 speakers cannot be split into 5 folds"):
        spectrogram_cnn.cross_validate(few, tmp_path, ONE_EPOCH)
