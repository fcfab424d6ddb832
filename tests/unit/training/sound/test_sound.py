"""Choosing the constants of the tag comparison: labelled sounds, the criterion, leaving a kind out, the card."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.special import softmax

from networks.sound import comparison, labels
from networks.sound.comparison import Method
from samples.disk import full_disk
from training.data import sounds as data_sounds
from training.data.sounds import KINDS, TaggedSound
from training.sound import choice, sound
from training.sound.choice import AGREEMENT, NEUTRAL_SHARE, Grid
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS, SAMPLE_RATE_HZ

CLASSES = [name for kind in KINDS.values() for name in kind.classes]
METHOD = Method("query: ", 0, 1, 1.0, 1.0, choice.limit(), 0.5, choice.neutral_logit())
SMALL = Grid(("query: ",), (0,), (1,), (0.5, 1.0), (0.5, 1.0), (0.5,))


class Tagger:
    """Hears one class in everything."""

    def __init__(self, name: str) -> None:
        self.scores = np.eye(len(CLASSES), dtype=np.float32)[CLASSES.index(name)]

    def run(self, names, inputs):
        return [np.tile(self.scores, (len(inputs["FEATURES"]), 1))]


class Embedder:
    """Embeds the names of emotional classes near their emotion, and all else anywhere."""

    def embed(self, texts, prompt="query: "):
        random = np.random.default_rng(len(texts))
        vectors = 0.1 * random.standard_normal((len(texts), 32))
        for vector, text in zip(vectors, texts, strict=True):
            vector[EMOTIONS.index(emotion_of(text))] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def emotion_of(text: str) -> str:
    described = [emotion for emotion, texts in comparison.SOUNDS.items() if text in texts]
    named = [kind.emotion for kind in KINDS.values() if text in {name.lower() for name in kind.classes}]
    return next(iter(described or named), None) or "neutral"


def write(path: Path, pcm: np.ndarray) -> None:
    with av.open(path, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray((pcm * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        container.mux([*stream.encode(frame), *stream.encode(None)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two recordings, a laugh and a knock, and one of a kind that nobody expects anything of."""
    folder = tmp_path / "audio_tags" / "own"
    folder.mkdir(parents=True)
    rows = [("a.flac", "laugh"), ("b.flac", "Knock"), ("c.flac", "sneezing pandas")]
    for file, _ in rows:
        write(folder / file, np.random.default_rng(0).uniform(-0.5, 0.5, 2 * SAMPLE_RATE_HZ))
    label(folder, rows)
    return tmp_path


def label(folder: Path, rows: list[tuple[str, str]], columns: tuple[str, ...] = ("file", "label")) -> None:
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def by_names(names: list[str]) -> list[TaggedSound]:
    return [each for each in data_sounds.named(CLASSES) if each.name in names]


def test_recordings_of_known_kinds_are_heard(data: Path):
    sounds = data_sounds.recorded(data, Tagger("Giggle"))
    assert [(each.kind, each.emotion) for each in sounds] == [("laughter", "happiness"), ("things", None)]
    assert sounds[0].scores.shape == (len(sounds[0].lengths), len(CLASSES))
    assert sounds[0].lengths.min() > 0


def test_the_strongest_label_counts(data: Path):
    folder = data / "audio_tags" / "own"
    label(folder, [("a.flac", "0", "Giggle"), ("a.flac", "1", "Knock")], ("file", "rank", "name"))
    assert [each.kind for each in data_sounds.recorded(data, Tagger("Giggle"))] == ["laughter"]


def test_kinds_name_classes_of_audioset_once():
    assert len(set(CLASSES)) == len(CLASSES)
    assert {kind.emotion for kind in KINDS.values()} == {*EMOTIONS, None} - {"neutral", "disgust"}


def test_every_class_of_a_kind_is_one_of_the_tagger(weights):
    classes = labels.of_yamnet(weights("yamnet"))
    assert not set(CLASSES) - set(classes)
    assert len(data_sounds.named(classes)) == len(CLASSES)


def test_an_unlabelled_folder_is_named(tmp_path: Path):
    with pytest.raises(TriptychError, match=r"audio_tags has no folder with recordings and a labels\.csv"):
        data_sounds.recorded(tmp_path, Tagger("Knock"))


def test_labels_without_columns_are_named(data: Path):
    label(data / "audio_tags" / "own", [("a.flac", "laugh")], ("path", "kind"))
    with pytest.raises(TriptychError, match=r"labels\.csv needs the columns file and label"):
        data_sounds.recorded(data, Tagger("Knock"))


@pytest.mark.parametrize("damage", ["missing", "empty", "corrupt", "silent"])
def test_a_bad_recording_is_named(data: Path, damage: str):
    path = data / "audio_tags" / "own" / "a.flac"
    path.unlink()
    if damage == "silent":
        write(path, np.zeros(SAMPLE_RATE_HZ))
    elif damage != "missing":
        path.write_bytes(b"fLaC and no more" if damage == "corrupt" else b"")
    with pytest.raises(TriptychError, match=r"a\.flac, which .*labels\.csv names, cannot be"):
        data_sounds.recorded(data, Tagger("Knock"))


def test_without_an_emotional_recording_nothing_is_chosen(data: Path):
    label(data / "audio_tags" / "own", [("b.flac", "Knock")])
    with pytest.raises(TriptychError, match="no recording that expresses an emotion: label some as laughter"):
        data_sounds.recorded(data, Tagger("Knock"))


def test_targets_are_distributions():
    rows = choice.targets(by_names(["Giggle", "Knock"]))
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    assert rows[0, EMOTIONS.index("happiness")] == pytest.approx(AGREEMENT)
    assert rows[0, EMOTIONS.index("neutral")] > rows[0, 0] > 0
    assert rows[1, EMOTIONS.index("neutral")] == pytest.approx(NEUTRAL_SHARE)
    assert np.ptp(rows[1, :-1]) == pytest.approx(0)


def test_the_derived_constants_meet_the_expectations():
    logits = np.zeros(7)
    logits[-1] = choice.neutral_logit()
    assert softmax(logits)[-1] == pytest.approx(NEUTRAL_SHARE)
    logits[0] = choice.limit()
    assert softmax(logits)[0] == pytest.approx(AGREEMENT)


def test_strength_is_the_mean_over_the_windows():
    scores = np.array([[0.1, 1.0], [0.5, 0.0]], np.float32)
    heard = TaggedSound("x", "things", scores, np.array([1.0, 3.0]), recorded=True)
    np.testing.assert_allclose(choice.strengths([heard], 0.5), [[(0.2 + 3) / 4, 0.25]], rtol=1e-6)


def test_the_best_constants_are_chosen_and_each_kind_is_left_out_once():
    sounds = data_sounds.named(CLASSES)
    trials = list(choice.trials(sounds, CLASSES, Embedder(), SMALL))
    assert len({trial.method for trial in trials}) == 4
    chosen, left_out = choice.choose(trials, sounds)
    criteria = {trial.method: choice.kind_means(trial.divergences, sounds).mean() for trial in trials}
    assert criteria[chosen.method] < max(criteria.values())
    expected = choice.targets(sounds).argmax(axis=1)
    assert (left_out.argmax(axis=1) == expected).mean() > 0.9


def test_a_kind_is_answered_by_the_constants_that_were_chosen_without_it():
    """The kinds that decide are made to disagree: one is answered best by one trial, the others by another."""
    sounds = by_names(["Giggle", "Crying, sobbing", "Gasp", "Knock"])
    own, rest = np.array([0.0, 5.0, 5.0, 5.0]), np.array([9.0, 1.0, 1.0, 1.0])
    trials = [
        choice.Trial(replace(METHOD, threshold=number), np.full((4, 7), number), divergences)
        for number, divergences in ((1.0, own), (2.0, rest))
    ]
    _, left_out = choice.choose(trials, sounds)
    assert [sound.kind for sound in sounds] == ["laughter", "crying", "gasping", "things"]
    assert left_out[0].tolist() == [2.0] * 7, "without laughter the second is better"


def test_of_points_as_good_as_each_other_the_least_sure_is_chosen():
    table = np.array([[0.1, 0.3], [0.15, 0.3], [0.5, 0.6], [0.15, 0.25]])
    assert choice.best_row(table, np.array([0.9, 0.5, 0.1, 0.6])) == 1
    assert choice.best_row(table[:, [0, 0]], np.array([0.9, 0.5, 0.1, 0.6])) == 0, "without spread: the least"


def test_the_calibration_error_counts_the_expected_share():
    expected = choice.targets(by_names(["Giggle", "Knock"]))
    rows = np.arange(2)
    assert sound.Result(np.log(expected), expected).calibration_error(rows) == pytest.approx(0, abs=1e-9)
    certain = sound.Result(99 * (expected == expected.max(axis=1, keepdims=True)), expected)
    assert certain.calibration_error(rows) == pytest.approx(1 - (AGREEMENT + NEUTRAL_SHARE) / 2)
    assert certain.agreement(rows) == 1


def test_the_card_and_the_constants_are_written(data: Path, tmp_path: Path):
    """With the real tagger and the real sentence encoder; of what they hear in noise nothing is expected."""
    sound.train_sound(data, tmp_path / "out", SMALL)
    method = comparison.load_method(tmp_path / "out")
    assert method.threshold in SMALL.threshold
    assert json.loads(method.dump())["temperature"] in SMALL.temperature
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"| threshold | {method.threshold} |" in card
    assert "| recordings (2) | as chosen |" in card
    assert "| laughter | 1 | 6 | happiness |" in card


def test_a_full_disk_keeps_the_last_constants(tmp_path: Path):
    old = tmp_path / "method.json"
    old.write_text("old", encoding="utf-8")
    with full_disk(100), pytest.raises(TriptychError, match=r"the last method\.json is kept"):
        sound.write({"method.json": "new" * 100}, tmp_path)
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["old"]
