from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samples import text_corpora
from samples.text_corpora import EKMAN, ROWS
from training.data import text as data_text
from training.data.text import DEV, TRAIN, TWIN, VALIDATION, Texts
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    text_corpora.write_all(tmp_path)
    return tmp_path


def test_splits_are_stratified_and_the_same_each_time(data: Path) -> None:
    texts = data_text.load(data)
    assert texts.texts == data_text.load(data).texts
    assert np.array_equal(texts.splits, data_text.load(data).splits)
    cedr = texts.of(corpora=["cedr"])
    per_emotion = {split: cedr.of([split]).targets.sum(0)[EMOTIONS.index("fear")] for split in (DEV, TRAIN)}
    assert per_emotion[DEV] == 0.2 * ROWS
    assert len(cedr.of([DEV])) == 0.2 * len(cedr)
    assert abs(len(cedr.of([VALIDATION])) - 0.1 * 0.8 * len(cedr)) <= 1
    assert len(texts.of([VALIDATION], ["goemotions"])) == pytest.approx(0.1 * ROWS * len(EKMAN), abs=1)


def test_nothing_measured_was_trained_on_in_either_language(data: Path) -> None:
    texts = data_text.load(data)
    english_dev = set(texts.of([DEV], ["goemotions"]).texts)
    twins = set(texts.of([TWIN]).texts)
    translated = texts.of([TRAIN], ["ru_goemotions"])
    originals = {text.removeprefix("ru ") for text in translated.texts}
    assert len(twins) == len(english_dev) == ROWS * len(EKMAN) / 2
    assert originals == twins
    assert not originals & english_dev
    assert {text.removeprefix("ru ") for text in texts.of([DEV], ["ru_goemotions"]).texts} == english_dev
    assert not set(texts.of([TRAIN, VALIDATION]).texts) & set(texts.of([DEV, TWIN]).texts)


def test_labels_go_by_the_names_of_the_contract(data: Path) -> None:
    texts = data_text.load(data)
    row = next(i for i, text in enumerate(texts.texts) if text.startswith("no_emotion\n"))
    assert texts.targets[row].tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert texts.languages[row] == "ru"


def test_single_rows_have_one_emotion() -> None:
    targets = np.array([[0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1]], np.float32)
    assert data_text.single_rows(targets).tolist() == [0, 2]


def test_choose_takes_numbers_and_masks() -> None:
    letters = np.array(["a", "b", "c"])
    texts = Texts(("x", "y", "z"), np.eye(7, dtype=np.float32)[:3], letters, letters, letters)
    assert texts.choose(np.array([2, 0])).texts == ("z", "x")
    assert texts.choose(np.array([False, True, False])).corpora.tolist() == ["b"]


def test_missing_file(data: Path) -> None:
    (data / "text" / "cedr_ru.tsv.gz").unlink()
    with pytest.raises(TriptychError, match=r"no cedr_ru\.tsv\.gz .* --data is the folder that holds text/"):
        data_text.load(data)


def test_damaged_file(data: Path) -> None:
    path = data / "text" / "cedr_ru.tsv.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TriptychError, match=r"cedr_ru.* is not a readable gzipped TSV"):
        data_text.load(data)


@pytest.mark.parametrize(
    ("emotion", "message"),
    [("", "row 2: no emotion in column emotions. Label the text"), ("bliss", "row 2: bliss is none of anger")],
)
def test_unlabelled_or_unknown(data: Path, emotion: str, message: str) -> None:
    text_corpora.write(data / "text" / "cedr_ru.tsv.gz", [{"split": "train", "text": "a", "emotions": emotion}])
    with pytest.raises(TriptychError, match=message):
        data_text.load(data)


def test_empty_class(tmp_path: Path) -> None:
    text_corpora.write_all(tmp_path, tuple(emotion for emotion in EKMAN if emotion != "disgust"))
    with pytest.raises(TriptychError, match="has no text of disgust to train on"):
        data_text.load(tmp_path)


def test_a_translation_of_something_else_is_refused(data: Path) -> None:
    text_corpora.write(data / "text" / "ru_goemotions.tsv.gz", [{"id": "elsewhere", "text_ru": "ru", "ekman": "joy"}])
    with pytest.raises(TriptychError, match="elsewhere, are not in GoEmotions' dev part"):
        data_text.load(data)


def test_too_few_to_split(data: Path) -> None:
    text_corpora.write(data / "text" / "cedr_ru.tsv.gz", [{"split": "train", "text": "a", "emotions": "joy"}])
    with pytest.raises(TriptychError, match="1 texts, 1 of happiness, are too few"):
        data_text.load(data)
