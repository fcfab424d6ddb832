"""Labelled texts of GoEmotions, CEDR and Russian GoEmotions: seven emotions, several at once, and who may see them.

Splits
- GoEmotions (English): `dev` is the published one; a stratified tenth of the published training part is `validation`.
- CEDR (native Russian): a stratified fifth of its training part is `dev`, a tenth of the rest `validation`.
- Russian GoEmotions is a translation of GoEmotions' *dev* part. A stratified half of it is trained on; the other half
  is `dev`. The English rows of the first half are `twin`: to whoever trained on their translations they are no longer
  unseen, so only a model that trained on English alone may be measured on `dev` and `twin` together.

Texts of `train` and `validation` that occur word for word in `dev` or `twin` are dropped.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from networks.emotion_names import emotion_of, known
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

FOLDER = "text"
TRAIN, VALIDATION, DEV, TWIN = "train", "validation", "dev", "twin"
DEV_SHARE = 0.2
VALIDATION_SHARE = 0.1
SPLIT_SEED = 0
SMALLEST_STRATUM = 10
"""A set of labels that fewer texts have is stratified by its rarest label instead."""


@dataclass(frozen=True)
class Corpus:
    """A file of labelled texts, and the columns that are read. `translation` names the corpus that it translates."""

    name: str
    file: str
    language: str
    text: str
    emotions: str
    translation: str = ""


CORPORA = (
    Corpus("goemotions", "goemotions_en.tsv.gz", "en", "text", "ekman"),
    Corpus("cedr", "cedr_ru.tsv.gz", "ru", "text", "emotions"),
    Corpus("ru_goemotions", "ru_goemotions.tsv.gz", "ru", "text_ru", "ekman", "goemotions"),
)


@dataclass(frozen=True)
class Texts:
    """Texts [n], targets f32 [n, 7] over EMOTIONS (1: expressed), and language, corpus and split of each, str [n]."""

    texts: tuple[str, ...]
    targets: np.ndarray
    languages: np.ndarray
    corpora: np.ndarray
    splits: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    def choose(self, rows: np.ndarray) -> Texts:
        """Return the texts of these rows: numbers, or a mask [n]."""
        numbers = np.flatnonzero(rows) if rows.dtype == bool else rows
        texts = tuple(self.texts[number] for number in numbers)
        return Texts(texts, self.targets[rows], self.languages[rows], self.corpora[rows], self.splits[rows])

    def of(self, splits: Collection[str] = (), corpora: Collection[str] = (), languages: Collection[str] = ()) -> Texts:
        """Return the texts of these splits, corpora and languages; an empty choice means all."""
        mask = np.ones(len(self), bool)
        for values, chosen in ((self.splits, splits), (self.corpora, corpora), (self.languages, languages)):
            if chosen:
                mask &= np.isin(values, list(chosen))
        return self.choose(mask)


def files(data: Path) -> list[Path]:
    """Return what is read."""
    return [data / FOLDER / corpus.file for corpus in CORPORA]


def load(data: Path) -> Texts:
    """Read the corpora of `data/text`.

    TriptychError: a file is missing or damaged, a text has no label or an unknown one, an emotion has no text to
    train on.
    """
    folder = data / FOLDER
    read = {corpus.name: _read(folder, corpus) for corpus in CORPORA}
    english, russian, translated = (read[corpus.name] for corpus in CORPORA)
    trained, twins = _split_translation(english, translated)
    parts = [
        build(CORPORA[0], english, _split_published(english, twins)),
        build(CORPORA[1], russian, _split_held_out(russian)),
        build(CORPORA[2], translated, np.where(trained, TRAIN, DEV)),
    ]
    texts = _without_repeats(join(parts))
    missing = texts.of([TRAIN]).targets.sum(0) == 0
    if missing.any():
        names = ", ".join(emotion for emotion, gone in zip(EMOTIONS, missing) if gone)
        raise TriptychError(f"{folder} has no text of {names} to train on: each of the seven emotions needs some")
    return texts


def single_rows(targets: np.ndarray) -> np.ndarray:
    """Return the rows of `targets` [n, 7] with exactly one emotion: those that a softmax over seven can be held to."""
    return np.flatnonzero(targets.sum(1) == 1)


Rows = list[dict[str, str]]


def _read(folder: Path, corpus: Corpus) -> Rows:
    """Return the rows of a corpus, with its labels by the contract's names under "labels"."""
    path = folder / corpus.file
    rows = read_table(folder, corpus)
    return [row | {"labels": _labels(row, corpus, f"{path}, row {number}")} for number, row in enumerate(rows, 2)]


def read_table(folder: Path, corpus: Corpus) -> Rows:
    """Return the rows of a corpus; TriptychError when its file is missing, damaged or empty."""
    path = folder / corpus.file
    if not path.is_file():
        raise TriptychError(f"there is no {corpus.file} in {folder}: --data is the folder that holds {FOLDER}/")
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise TriptychError(f"{path} is not a readable gzipped TSV: {error}. Fetch it again.") from error
    if not rows:
        raise TriptychError(f"{path} has no rows")
    return rows


def _labels(row: dict[str, str], corpus: Corpus, where: str) -> str:
    """Return the emotions of a row, sorted, with commas between."""
    if not row.get(corpus.text):
        raise TriptychError(f"{where}: no text in column {corpus.text}")
    labels = {name: emotion_of(name) for name in (row.get(corpus.emotions) or "").split(",") if name}
    if not labels:
        raise TriptychError(f"{where}: no emotion in column {corpus.emotions}. Label the text, or take it out.")
    unknown = [label for label, emotion in labels.items() if emotion is None]
    if unknown:
        raise TriptychError(f"{where}: {', '.join(unknown)} is none of {known()}")
    return ",".join(sorted({emotion for emotion in labels.values() if emotion}))


def _split_translation(english: Rows, translated: Rows) -> tuple[np.ndarray, set[str]]:
    """Return which translated rows [n] to train on, and the ids of their English originals."""
    known = {row["id"] for row in english if row["split"] == "dev"}
    strangers = [row["id"] for row in translated if row["id"] not in known]
    if strangers:
        raise TriptychError(
            f"{len(strangers)} translated texts, such as {strangers[0]}, are not in GoEmotions' dev part: "
            "what they translate cannot be kept out of the measurement"
        )
    trained = ~_held_out(translated, 0.5)
    return trained, {row["id"] for row, is_trained in zip(translated, trained) if is_trained}


def _split_published(english: Rows, twins: set[str]) -> np.ndarray:
    splits = np.array([TWIN if row["id"] in twins else row["split"] for row in english], dtype="U10")
    train = np.flatnonzero(splits == TRAIN)
    splits[train[_held_out([english[row] for row in train], VALIDATION_SHARE)]] = VALIDATION
    return splits


def _split_held_out(rows: Rows) -> np.ndarray:
    splits = np.where(_held_out(rows, DEV_SHARE), DEV, TRAIN).astype("U10")
    train = np.flatnonzero(splits == TRAIN)
    splits[train[_held_out([rows[row] for row in train], VALIDATION_SHARE)]] = VALIDATION
    return splits


def _held_out(rows: Rows, share: float) -> np.ndarray:
    """Return a mask [n] of a random `share` of the rows, stratified by their sets of labels, the same each time."""
    numbers, strata = np.arange(len(rows)), _strata([row["labels"] for row in rows])
    try:
        held_out = train_test_split(numbers, test_size=share, random_state=SPLIT_SEED, stratify=strata)[1]
    except ValueError as error:
        rarest, count = Counter(strata).most_common()[-1]
        raise TriptychError(
            f"{len(rows)} texts, {count} of {rarest}, are too few to hold a part of them out"
        ) from error
    return np.isin(numbers, held_out)


def _strata(labels: list[str]) -> list[str]:
    """Return the stratum of each row: its set of labels, or of a rare set its rarest label (most rows have one)."""
    sets, singles = Counter(labels), Counter(name for names in labels for name in names.split(","))
    return [
        names if sets[names] >= SMALLEST_STRATUM else min(names.split(","), key=lambda name: singles[name])
        for names in labels
    ]


def build(corpus: Corpus, rows: Rows, splits: np.ndarray) -> Texts:
    """Return rows with "labels" as texts."""
    targets = np.array([[emotion in row["labels"].split(",") for emotion in EMOTIONS] for row in rows], np.float32)
    texts = tuple(row[corpus.text] for row in rows)
    return Texts(texts, targets, np.full(len(rows), corpus.language), np.full(len(rows), corpus.name), splits)


def join(parts: list[Texts]) -> Texts:
    """Return several corpora as one."""
    arrays = ([getattr(part, name) for part in parts] for name in ("targets", "languages", "corpora", "splits"))
    return Texts(tuple(text for part in parts for text in part.texts), *(np.concatenate(array) for array in arrays))


def _without_repeats(texts: Texts) -> Texts:
    """Drop from training and validation what is measured word for word."""
    measured = set(texts.of([DEV, TWIN]).texts)
    is_measured = np.isin(texts.splits, (DEV, TWIN))
    return texts.choose(is_measured | np.array([text not in measured for text in texts.texts]))
