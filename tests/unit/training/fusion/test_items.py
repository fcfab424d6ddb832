"""What the fusion learns from: nobody's voice is answered by a model that knows it, and no other data's answers are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from export import checkpoint
from networks import weights
from networks.voice.spectrogram_cnn import VoiceCnn
from samples.speech_corpora import write_corpus
from training.data import speech as data_speech
from training.fusion import items
from training.fusion.evidence import CONDITIONS, Bank
from training.fusion.items import VoiceCheck, speakers_to_ask
from training.fusion.models import Models
from training.voice import spectrogram_cnn
from training.voice.folds import Folds
from training.voice.trained_on import TrainedOn
from triptych.errors import TriptychError
from triptych.paths import OWN_WEIGHTS
from triptych.sound import mel

SPEAKERS = [f"ravdess {number:02}" for number in range(1, 21)] + [f"emodb {number:02}" for number in range(8)]


def of(speakers: list[str], network: str = "wav2vec2") -> TrainedOn:
    """What a model says that was trained on these speakers."""
    named = [name.split() for name in speakers]
    corpora = {corpus: tuple(name for of, name in named if of == corpus) for corpus in ("ravdess", "emodb")}
    return TrainedOn(network, corpora, 5, 0)


def served(folder: Path, name: str, trained_on: TrainedOn | None = None, source: bool = True) -> Models:
    """A model repository whose voice model comes of a checkpoint, which says what it was trained on, or does not."""
    model = folder / "checkpoint"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}", encoding="utf-8")
    (model / "model.safetensors").write_bytes(b"weights")
    if trained_on:
        trained_on.write(model / "model.safetensors")
    line = {"role": "voice", "name": name, "sha256": "0" * 64, "vacant": False, "source": "", "source_sha256": ""}
    if source:
        line |= {"source": f"dir:{model}", "source_sha256": checkpoint.digest(model)}
    (folder / "fusion" / "1").mkdir(parents=True)
    (folder / "fusion" / "1" / "models.json").write_text(json.dumps([line]), encoding="utf-8")
    return Models(folder)


def run_of(folder: Path, trained_on: TrainedOn) -> Path:
    """A finished run of `triptych train voice`, of random weights; each fold holds every fifth speaker out."""
    names = [f"{corpus} {name}" for corpus, numbers in trained_on.speakers.items() for name in numbers]
    for number, path in enumerate(spectrogram_cnn.fold_files(folder)):
        path.parent.mkdir(parents=True)
        torch.manual_seed(number)
        save_file(VoiceCnn().state_dict(), path)
        of([name for place, name in enumerate(names) if place % 5 != number], trained_on.network).write(path)
    weights.save(VoiceCnn(), 2.0, folder / weights.FILE)
    trained_on.write(folder / weights.FILE)
    return folder


def test_speakers_that_the_model_knows_are_left_out(tmp_path: Path) -> None:
    models = served(tmp_path, "wav2vec2", of(SPEAKERS[:18]))
    assert speakers_to_ask(models, set(SPEAKERS), VoiceCheck()) == set(SPEAKERS[18:])


def test_a_model_that_knows_most_speakers_is_not_calibrated_on_the_few_others(tmp_path: Path) -> None:
    """Whatever it is called: wav2vec 2.0 of `train voice --init` knows four fifths."""
    models = served(tmp_path, "wav2vec2", of(SPEAKERS[:22]))
    with pytest.raises(TriptychError, match=r"wav2vec2, was trained on 22 of the data's 28 speakers, .*10 others"):
        speakers_to_ask(models, set(SPEAKERS), VoiceCheck())
    own = TrainedOn.read(OWN_WEIGHTS / "spectrogram-cnn")
    assert own is not None
    speakers = {f"{corpus} {name}" for corpus, names in own.speakers.items() for name in names}
    models = served(tmp_path / "own", "spectrogram-cnn", source=False)
    with pytest.raises(TriptychError, match=r"trained on 28 of the data's 28 speakers.*give --voice-run"):
        speakers_to_ask(models, speakers, VoiceCheck())


def test_a_model_of_unknown_training_needs_the_users_word(tmp_path: Path) -> None:
    models = served(tmp_path, "wav2vec2")
    with pytest.raises(TriptychError, match=r"does not say whose voices .*no trained_on\.json .*by --assume-unheard"):
        speakers_to_ask(models, set(SPEAKERS), VoiceCheck())
    assert speakers_to_ask(models, set(SPEAKERS), VoiceCheck(assume_unheard=True)) == set(SPEAKERS)


def test_the_users_word_does_not_outweigh_what_the_model_says(tmp_path: Path) -> None:
    models = served(tmp_path, "wav2vec2", of(SPEAKERS))
    with pytest.raises(TriptychError, match="was trained on 28 of the data's 28 speakers"):
        speakers_to_ask(models, set(SPEAKERS), VoiceCheck(assume_unheard=True))


def test_a_checkpoint_that_changed_since_its_export_is_not_believed(tmp_path: Path) -> None:
    models = served(tmp_path, "wav2vec2", of(SPEAKERS))
    of([]).write(tmp_path / "checkpoint" / "model.safetensors")
    with pytest.raises(TriptychError, match="has changed since it was exported"):
        speakers_to_ask(models, set(SPEAKERS), VoiceCheck())


def test_with_a_run_everybody_is_asked(tmp_path: Path) -> None:
    made = of(SPEAKERS, "spectrogram-cnn")
    models, run = served(tmp_path / "models", "my-voice", made), run_of(tmp_path / "run", made)
    assert speakers_to_ask(models, set(SPEAKERS), VoiceCheck(run)) == set(SPEAKERS)


@pytest.mark.parametrize(
    "served_on",
    [of(SPEAKERS, "wav2vec2"), of(SPEAKERS[:20], "spectrogram-cnn"), None],
    ids=["network", "voices", "unknown"],
)
def test_a_run_of_another_model_is_refused(tmp_path: Path, served_on: TrainedOn | None) -> None:
    models = served(tmp_path / "models", "wav2vec2", served_on)
    run = run_of(tmp_path / "run", of(SPEAKERS, "spectrogram-cnn"))
    with pytest.raises(TriptychError, match=r"holds models of spectrogram-cnn, but wav2vec2 is exported.*leave it out"):
        speakers_to_ask(models, set(SPEAKERS), VoiceCheck(run))


def test_a_run_that_is_none_or_whose_folds_know_everybody_is_refused(tmp_path: Path) -> None:
    made = of(SPEAKERS, "spectrogram-cnn")
    models, run = served(tmp_path / "models", "my-voice", made), run_of(tmp_path / "run", made)
    with pytest.raises(TriptychError, match=r"no .*trained_on\.json: --voice-run is the --out of"):
        speakers_to_ask(models, set(SPEAKERS), VoiceCheck(tmp_path))
    for path in spectrogram_cnn.fold_files(run):
        made.write(path)
    with pytest.raises(TriptychError, match="every fold of the run was trained on emodb 00"):
        speakers_to_ask(models, set(SPEAKERS), VoiceCheck(run))


def test_a_recording_is_answered_by_the_fold_that_does_not_know_its_speaker(tmp_path: Path) -> None:
    folds = Folds.of(run_of(tmp_path, of(SPEAKERS, "spectrogram-cnn")), SPEAKERS)
    pcm = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    for place in (0, 3):
        torch.manual_seed(place)
        model = VoiceCnn().eval()
        log_mel = torch.from_numpy(mel.voice_log_mel(pcm))[None]
        with torch.inference_mode():
            expected = model(log_mel).numpy() / 2.0
        np.testing.assert_allclose(folds.voice(pcm[None], SPEAKERS[place]), expected, atol=1e-5)


def test_only_the_speakers_asked_for_are_in_the_bank(tmp_path: Path) -> None:
    write_corpus(tmp_path, "ravdess", 3)
    write_corpus(tmp_path, "emodb", 1)
    assert data_speech.speakers(tmp_path) == {"ravdess 0", "ravdess 1", "ravdess 2", "emodb 0"}
    evidence = items.evidence.ChannelInput("sound", items.OK).gather
    spans, rows = np.array([[0.0, 1.0]], np.float32), np.zeros((1, 7), np.float32)
    part = evidence(spans, rows, np.ones(1), np.ones(1), items.OK)
    bank = items.speech(tmp_path, {"ravdess 1", "emodb 0"}, "sound", lambda recording: part)
    assert set(bank.groups) == {"ravdess 1", "emodb 0"}
    assert len(bank.labels) == 14


BANK = Bank("face", *({name: np.zeros((2, 15)) for name in CONDITIONS} for _ in range(2)), np.zeros(2), np.zeros(2))


def test_answers_to_other_data_are_not_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for maker in ("faces", "texts", "speech", "events"):
        monkeypatch.setattr(items, maker, lambda *_, maker=maker: calls.append(maker) or BANK)
    monkeypatch.setattr(Models, "digest", lambda self, channel: channel)
    models = served(tmp_path / "models", "wav2vec2", of([]))
    first, copy, other = (tmp_path / name for name in ("first", "copy", "other"))
    for data in (first, copy, other):
        data.mkdir()
        write_corpus(data, "ravdess", 2)
        write_corpus(data, "emodb", 1)
        (data / "fer2013_train_val.npz").write_bytes(b"faces")
    (other / "fer2013_train_val.npz").write_bytes(b"other faces")
    write_corpus(other, "emodb", 2)

    def computed(data: Path) -> list[str]:
        calls.clear()
        items.collect(data, tmp_path / "out", models, VoiceCheck())
        return sorted(calls)

    assert computed(first) == ["events", "faces", "speech", "speech", "texts"]
    assert computed(copy) == [], "the same data elsewhere"
    assert computed(other) == ["faces", "speech", "speech"]
    assert computed(first) == []


def test_a_damaged_file_of_answers_is_named(tmp_path: Path) -> None:
    path = tmp_path / "face.npz"
    items.cached(path, "face", lambda: BANK)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TriptychError, match=r"face\.npz is damaged: .*Delete it"):
        items.cached(path, "face", lambda: BANK)
