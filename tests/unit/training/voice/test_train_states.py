"""The voice's head on Whisper's states: what is kept, whom it never hears, how far it carries; on states made here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from networks import weights
from networks.voice.whisper_states import FEATURES, Head
from samples.speech_corpora import write_corpus
from training import metrics
from training.card import CARD, CONFUSION
from training.data.speech import SpeechWindows
from training.data.spoken import Spoken
from training.voice import across, train_states, whisper_states
from training.voice.folds import Folds
from training.voice.trained_on import TrainedOn
from triptych.commands.demo_speech import synthesise
from triptych.errors import TriptychError
from triptych.sound import spoken
from triptych_client.contract import EMOTIONS, SAMPLE_RATE_HZ

TOLD = 60
"""So many of the states tell the emotion, each its own; the others are noise."""
LACKS = {"emodb": ("surprise",), "nemo": ("disgust",), "ased": ("disgust", "fear")}


def states(corpus: str, speakers: int = 6, seed: int = 0) -> SpeechWindows:
    """A corpus of six speakers, who say two sentences with each emotion it has; each clip has two windows."""
    random = np.random.default_rng([seed, sum(map(ord, corpus))])
    emotions = [number for number, name in enumerate(EMOTIONS) if name not in LACKS.get(corpus, ())]
    labels = np.tile(np.repeat(emotions, 2), speakers)
    clips = np.repeat(np.arange(len(labels)), 2)
    values = random.normal(size=(len(clips), FEATURES)).astype(np.float32)
    values[np.arange(len(clips))[:, None], TOLD * labels[clips][:, None] + np.arange(TOLD)] += 2.0
    who = np.repeat([f"{corpus} {number:02}" for number in range(1, speakers + 1)], 2 * len(emotions))
    sentences = np.tile(["one", "two"], len(labels) // 2)
    return SpeechWindows(torch.from_numpy(values).half(), clips, labels, who, np.full(len(labels), corpus), sentences)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that never heard `ravdess 02`."""
    out = tmp_path_factory.mktemp("run")

    def collect(data: Path, folder: Path, corpora: Iterable[str], repository: Path) -> SpeechWindows:
        return whisper_states.joined([states(corpus) for corpus in corpora])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(metrics, "RESAMPLES", 3)
        patched.setattr(train_states, "collect", collect)
        train_states.train_whisper_states(out, out, ["ravdess 02"])
    return out


def heard(folder: Path) -> Collection[str]:
    trained_on = TrainedOn.read(folder)
    assert trained_on
    return {f"{corpus} {name}" for corpus, names in trained_on.speakers.items() for name in names}


def test_the_head_tells_speakers_apart_from_emotions(run: Path):
    head = Head()
    assert weights.load(head, run / weights.FILE) > 0
    unheard = states("ravdess", seed=1)
    assert (whisper_states.predict(head, unheard).argmax(1) == unheard.labels).mean() > 0.9


def test_who_is_held_out_is_heard_by_no_head_and_named_in_the_card(run: Path):
    everybody = {str(name) for corpus in whisper_states.LEARNT for name in states(corpus).speakers}
    assert heard(run) == everybody - {"ravdess 02"}
    folds = [heard(run / f"fold{number}") for number in range(1, 6)]
    assert all(part < heard(run) for part in folds)
    page = (run / CARD).read_text()
    assert "**without ravdess 02, who are kept for measuring**" in page
    assert 'triptych train voice --model whisper-states --data DIR --out DIR --hold-out "ravdess 02"`' in page
    assert "| emovo | 84 | 7 | " in page
    assert "| ased | 60 | 5 | " in page
    assert (run / CONFUSION).read_bytes().startswith(b"\x89PNG")


def test_the_folds_answer_for_speakers_whom_they_never_heard(run: Path):
    folds = Folds.of(run, {"ravdess 01", "ravdess 02", "nemo 03"})
    assert folds.voice(np.zeros((2, 48_000), np.float32), "ravdess 01").shape == (2, len(EMOTIONS))
    for speaker, number in folds.of_speaker.items():
        assert speaker not in heard(run / f"fold{number + 1}")
    assert len(Folds.files(run)) == 6


def test_a_speaker_that_nobody_is_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(train_states, "collect", lambda *arguments: states("ravdess"))
    with pytest.raises(TriptychError, match="there is no ravdess 99 among the speakers; one is called ravdess 01"):
        train_states.train_whisper_states(tmp_path, tmp_path, ["ravdess 99"])


def test_an_emotion_that_was_never_heard_is_not_named():
    head = whisper_states.fit(states("emodb"))
    unheard = states("ravdess", seed=1)
    said = whisper_states.predict(head, unheard).argmax(1)
    assert EMOTIONS.index("surprise") not in said
    assert len(set(said)) == 6


def test_standardised_by_itself_a_corpus_of_another_room_is_understood():
    """Every state of it is shifted, each by its own amount, as another microphone might."""
    plain = states("ravdess", seed=1)
    shift = torch.from_numpy(np.random.default_rng(3).normal(0, 8, FEATURES)).half()
    moved = SpeechWindows(
        plain.windows + shift, plain.clip_of_window, plain.labels, plain.speakers, plain.corpora, plain.sentences
    )
    head = whisper_states.fit(states("ravdess"))
    found = across.carried(head, moved, temperature=1.0)
    assert found.adapted > 0.9 > found.recall
    assert (found.corpus, found.clips, found.emotions) == ("ravdess", 84, 7)


def test_recordings_are_cut_as_where_they_are_served(repository: Path):
    said = synthesise("Nobody spoke, and then it rained.", "en", words_per_minute=150)
    pcm = np.concatenate([np.zeros(2 * SAMPLE_RATE_HZ, np.float32), said])
    speech_s, windows = Spoken(repository).cut(pcm)
    assert speech_s[0, 0] > 1.5
    samples = np.rint(speech_s.astype(np.float64) * SAMPLE_RATE_HZ).astype(int)
    np.testing.assert_array_equal(windows.pcm, spoken.voice_windows(pcm, samples).pcm)
    nothing_s, whole = Spoken(repository).cut(np.zeros(SAMPLE_RATE_HZ, np.float32))
    np.testing.assert_array_equal(nothing_s, [[0, 1]])
    assert len(whole.pcm) == 1


def test_without_a_detector_the_command_that_exports_it_is_named(tmp_path: Path):
    with pytest.raises(TriptychError, match=r"there is no speech detector in .* run `triptych export` first"):
        Spoken(tmp_path)


def test_states_are_computed_once(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_corpus(tmp_path, "ravdess", 1)
    first = whisper_states.collect(tmp_path, tmp_path / "states", ["ravdess"], repository)
    assert first.windows.shape[1] == FEATURES
    assert sorted(first.labels.tolist()) == list(range(len(EMOTIONS)))
    monkeypatch.setattr(whisper_states, "encoder", None)  # nothing could be computed now
    again = whisper_states.collect(tmp_path, tmp_path / "states", ["ravdess"], repository)
    torch.testing.assert_close(again.windows, first.windows)
    assert again.speakers.tolist() == first.speakers.tolist()
