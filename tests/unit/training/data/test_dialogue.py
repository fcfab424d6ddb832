"""What people say, as it is learnt from: whole dialogues on one side, labels that are ours, lines as they are heard."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from samples import text_corpora
from training.data import dialogue
from training.data.text import DEV, TRAIN, VALIDATION
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    text_corpora.write_spoken(tmp_path)
    return tmp_path


def test_the_published_validation_part_is_measured_on(data: Path) -> None:
    texts = dialogue.load(data)
    assert set(texts.corpora) == {"dailydialog", "empathetic", "xed_en", "xed_ru"}
    for corpus in np.unique(texts.corpora):
        dev = texts.of([DEV], [corpus])
        assert len(dev) == text_corpora.ROWS * len(text_corpora.EKMAN)
        assert all(" val " in text for text in dev.texts)
        assert dev.targets.sum(0).tolist() == [text_corpora.ROWS] * len(EMOTIONS)


def test_a_dialogue_is_on_one_side(data: Path) -> None:
    english = dialogue.load(data).of(corpora=["dailydialog"])
    rows = {
        split: {int(text.rstrip("!").split()[-1]) // 2 for text in english.of([split]).texts if "fear" in text}
        for split in (TRAIN, VALIDATION)
    }
    assert not rows[TRAIN] & rows[VALIDATION]
    share = len(english.of([VALIDATION])) / len(english.of([TRAIN, VALIDATION]))
    assert 0.01 < share < 0.15


def test_labels_that_are_none_of_ours_are_left_out(data: Path) -> None:
    subtitles = dialogue.load(data).of(corpora=["xed_en"])
    (row,) = [row for row, text in enumerate(subtitles.texts) if "trust it is" in text.replace(",", "")]
    assert [EMOTIONS[place] for place in np.flatnonzero(subtitles.targets[row])] == ["fear"]
    assert not any(
        f"number {text_corpora.ROWS}" in text for text in dialogue.load(data).of(corpora=["empathetic"]).texts
    )


def test_half_of_the_lines_are_as_heard_and_none_that_is_measured(data: Path) -> None:
    texts = dialogue.load(data)
    written = {split: np.mean(["!" in text for text in texts.of([split]).texts]) for split in (TRAIN, VALIDATION, DEV)}
    assert 0.4 < written[TRAIN] < 0.6
    assert (written[VALIDATION], written[DEV]) == (1, 1)


def test_as_heard_is_without_case_and_punctuation_and_now_and_then_a_word() -> None:
    line = "Oh, Jim! I don't KNOW; what do you mean?"
    assert dialogue.as_heard(line, 1) == dialogue.as_heard(line, 1)
    words = ["oh", "jim", "i", "don't", "know", "what", "do", "you", "mean"]
    heard = [dialogue.as_heard(line, seed).split() for seed in range(200)]
    assert all(word in words for one in heard for word in one)
    assert 0.02 < 1 - np.mean([len(one) / len(words) for one in heard]) < 0.08
    assert dialogue.as_heard("?!", 0) == "?!"


def test_lines_that_are_measured_are_not_trained_on_unless_anybody_says_them(data: Path) -> None:
    path = data / "text" / "xed_en.tsv.gz"
    long, short = "We will never see this town again, my friend.", "Thank you."
    rows = [text_corpora.spoken("xed_en", split, "joy", n) | {"text": text, "dialogue": ""}
            for split in ("train", "val") for text in (long, short) for n in range(2)]  # fmt: skip
    text_corpora.write(path, rows)
    texts = dialogue.load(data).of(corpora=["xed_en"])
    assert long in texts.of([DEV]).texts
    left = {text.lower().strip(".") for text in texts.of([TRAIN, VALIDATION]).texts}
    assert left == {"thank you"}


def test_a_corpus_without_a_labelled_line_is_refused(data: Path) -> None:
    text_corpora.write(data / "text" / "xed_ru.tsv.gz", [text_corpora.spoken("xed_ru", "train", "trust", 0)])
    with pytest.raises(TriptychError, match=r"xed_ru\.tsv\.gz has no line with one of the seven emotions"):
        dialogue.load(data)
    with gzip.open(data / "text" / "xed_ru.tsv.gz", "wt") as file:
        file.write("split\n")
    with pytest.raises(TriptychError, match="has no rows"):
        dialogue.load(data)
