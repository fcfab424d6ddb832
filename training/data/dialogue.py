"""What people say: written dialogues and lines of films, labelled, beside the texts of `training.data.text`.

Splits: the published validation part is `dev`; a twentieth of the training part, whole dialogues, is `validation`.
Lines of LEAST_WORDS or more that occur word for word in `dev` are dropped from both; shorter ones anybody says ("Thank
you."). Labels that are none of the seven (Plutchik's trust and anticipation) are left out, and lines without another.

Half of the training lines are written as a recogniser may hear them, see `as_heard`.
"""

from __future__ import annotations

import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from networks.emotion_names import emotion_of
from training.data.text import DEV, FOLDER, TRAIN, VALIDATION, Corpus, Rows, Texts, build, join, read_table
from triptych.errors import TriptychError

SPOKEN = (
    Corpus("dailydialog", "dailydialog_en.tsv.gz", "en", "text", "label7"),
    Corpus("empathetic", "empathetic_en.tsv.gz", "en", "text", "label7"),
    Corpus("xed_en", "xed_en.tsv.gz", "en", "text", "emotions"),
    Corpus("xed_ru", "xed_ru.tsv.gz", "ru", "text", "emotions"),
)
"""DailyDialog (Li et al. 2017), EmpatheticDialogues (Rashkin et al. 2019; the turns of who tells, not of who listens),
and XED (Öhman et al. 2020), subtitles of films: English labelled by people, Russian by projection."""
VALIDATION_SHARE = 0.05
MOST_LINES = 10_000
"""Training lines of an emotion that a corpus is read for: of DailyDialog's 63,000 neutral ones every sixth."""
LEAST_WORDS = 5
LOST_WORDS = 0.05
"""Share of the words that `as_heard` leaves out."""


def files(data: Path) -> list[Path]:
    """Return what is read."""
    return [data / FOLDER / corpus.file for corpus in SPOKEN]


def load(data: Path) -> Texts:
    """Read the corpora of what is said. TriptychError: a file is missing or damaged, or has no labelled line."""
    return join([_corpus(data / FOLDER, corpus) for corpus in SPOKEN])


def as_heard(line: str, seed: int) -> str:
    """Return a line as a recogniser may write it down: no case, no punctuation, now and then a word less."""
    random = np.random.default_rng(seed)
    plain = "".join(letter if letter.isalnum() or letter in " '" else " " for letter in line.lower())
    words = [word for word in plain.split() if random.random() >= LOST_WORDS]
    return " ".join(words) or line


def _corpus(folder: Path, corpus: Corpus) -> Texts:
    rows = [row | {"labels": labels} for row in read_table(folder, corpus) if (labels := _labels(row, corpus))]
    if not rows:
        raise TriptychError(f"{folder / corpus.file} has no line with one of the seven emotions")
    splits = _splits(rows)
    measured = {row[corpus.text] for row, split in zip(rows, splits) if split == DEV}
    kept = [
        number
        for number, row in enumerate(rows)
        if splits[number] == DEV or row[corpus.text] not in measured or len(row[corpus.text].split()) < LEAST_WORDS
    ]
    kept = _fewer(kept, rows, splits)
    heard = [_written(rows[number], corpus, splits[number]) for number in kept]
    return build(corpus, heard, splits[kept])


def _fewer(kept: list[int], rows: Rows, splits: np.ndarray) -> list[int]:
    """Return the lines without those of the training part that are beyond MOST_LINES of an emotion, evenly spread."""
    labels = Counter(rows[number]["labels"] for number in kept if splits[number] == TRAIN)
    seen: Counter[str] = Counter()
    left = []
    for number in kept:
        label = rows[number]["labels"]
        seen[label] += splits[number] == TRAIN
        share = MOST_LINES / max(labels[label], MOST_LINES)
        if splits[number] != TRAIN or int(seen[label] * share) > int((seen[label] - 1) * share):
            left.append(number)
    return left


def _labels(row: dict[str, str], corpus: Corpus) -> str:
    """Return those of the seven emotions that a line has, sorted, with commas between."""
    found = {emotion_of(name) for name in (row.get(corpus.emotions) or "").split(",") if name}
    return ",".join(sorted(emotion for emotion in found if emotion))


def _splits(rows: Rows) -> np.ndarray:
    """Return the split of each line: those of one dialogue have the same."""
    whole = [row["dialogue"] or row["text"] for row in rows]
    chosen = [zlib.crc32(name.encode()) % 1000 < 1000 * VALIDATION_SHARE for name in whole]
    published = np.array([row["split"] for row in rows])
    return np.where(published != TRAIN, DEV, np.where(chosen, VALIDATION, TRAIN)).astype("U10")


def _written(row: dict[str, str], corpus: Corpus, split: str) -> dict[str, str]:
    """Return a line as it is trained on: every other one of the training part as heard."""
    seed = zlib.crc32(row[corpus.text].encode())
    if split != TRAIN or seed % 2:
        return row
    return row | {corpus.text: as_heard(row[corpus.text], seed)}
