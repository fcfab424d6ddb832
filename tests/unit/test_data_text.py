from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from training import data_text
from training.data_text import DEV, TRAIN, TWIN, VALIDATION, Texts
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

EKMAN = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
CEDR = ("anger", "fear", "joy", "sadness", "surprise", "no_emotion")
ROWS = 40


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def _english(split: str, emotion: str, number: int) -> dict[str, str]:
    return {"split": split, "id": f"{split}{emotion}{number}", "text": f"{emotion} {split} {number}", "ekman": emotion}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "text"
    folder.mkdir()
    english = [_english(split, e, n) for split in ("train", "dev") for e in EKMAN for n in range(ROWS)]
    english.append({"split": "train", "id": "repeat", "text": "joy dev 0", "ekman": "joy,surprise"})
    russian = [{"split": "train", "text": f"{e}\n{n}", "emotions": e} for e in CEDR for n in range(ROWS)]
    translated = [
        {"id": row["id"], "text_ru": f"ru {row['text']}", "ekman": row["ekman"]}
        for row in english
        if row["split"] == "dev"
    ]
    _write(folder / "goemotions_en.tsv.gz", english)
    _write(folder / "cedr_ru.tsv.gz", russian)
    _write(folder / "ru_goemotions.tsv.gz", translated)
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
    _write(data / "text" / "cedr_ru.tsv.gz", [{"split": "train", "text": "a", "emotions": emotion}])
    with pytest.raises(TriptychError, match=message):
        data_text.load(data)


def test_empty_class(data: Path) -> None:
    kept = [e for e in EKMAN if e != "disgust"]
    english = [_english(split, e, n) for split in ("train", "dev") for e in kept for n in range(ROWS)]
    _write(data / "text" / "goemotions_en.tsv.gz", english)
    _write(
        data / "text" / "ru_goemotions.tsv.gz",
        [{"id": r["id"], "text_ru": "ru", "ekman": r["ekman"]} for r in english if r["split"] == "dev"],
    )
    with pytest.raises(TriptychError, match="has no text of disgust to train on"):
        data_text.load(data)


def test_a_translation_of_something_else_is_refused(data: Path) -> None:
    _write(data / "text" / "ru_goemotions.tsv.gz", [{"id": "elsewhere", "text_ru": "ru", "ekman": "joy"}])
    with pytest.raises(TriptychError, match="elsewhere, are not in GoEmotions' dev part"):
        data_text.load(data)


def test_too_few_to_split(data: Path) -> None:
    _write(data / "text" / "cedr_ru.tsv.gz", [{"split": "train", "text": "a", "emotions": "joy"}])
    with pytest.raises(TriptychError, match="1 texts, 1 of happiness, are too few"):
        data_text.load(data)
