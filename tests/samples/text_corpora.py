"""Small corpora of texts in the form of the real ones."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

EKMAN = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
CEDR = ("anger", "fear", "joy", "sadness", "surprise", "no_emotion")
ROWS = 40
"""Texts of each emotion, in each part."""


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def english(split: str, emotion: str, number: int) -> dict[str, str]:
    return {"split": split, "id": f"{split}{emotion}{number}", "text": f"{emotion} {split} {number}", "ekman": emotion}


def translated(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Translate what is in the dev part."""
    measured = [row for row in rows if row["split"] == "dev"]
    return [{"id": row["id"], "text_ru": f"ru {row['text']}", "ekman": row["ekman"]} for row in measured]


def write_all(data: Path, emotions: tuple[str, ...] = EKMAN) -> None:
    """Write the three corpora; GoEmotions with these emotions only."""
    folder = data / "text"
    folder.mkdir(parents=True, exist_ok=True)
    comments = [english(split, e, n) for split in ("train", "dev") for e in emotions for n in range(ROWS)]
    comments.append({"split": "train", "id": "repeat", "text": "joy dev 0", "ekman": "joy,surprise"})
    posts = [{"split": "train", "text": f"{e}\n{n}", "emotions": e} for e in CEDR for n in range(ROWS)]
    write(folder / "goemotions_en.tsv.gz", comments)
    write(folder / "cedr_ru.tsv.gz", posts)
    write(folder / "ru_goemotions.tsv.gz", translated(comments))


def write_spoken(data: Path) -> None:
    """Write the four corpora of what is said: of each emotion some lines, a listener's, and Plutchik's two others."""
    folder = data / "text"
    folder.mkdir(parents=True, exist_ok=True)
    for name, joy in (
        ("dailydialog_en", "happiness"),
        ("empathetic_en", "happiness"),
        ("xed_en", "joy"),
        ("xed_ru", "joy"),
    ):
        emotions = [joy if emotion == "joy" else emotion for emotion in EKMAN]
        lines = [spoken(name, split, e, n) for split in ("train", "val") for e in emotions for n in range(ROWS)]
        lines.append(spoken(name, "train", "", ROWS))
        lines.append({**spoken(name, "train", "trust", ROWS), "emotions": "trust,fear"})
        write(folder / f"{name}.tsv.gz", lines)


def spoken(corpus: str, split: str, emotion: str, number: int) -> dict[str, str]:
    """Return a line of a dialogue of two."""
    text = f"Well, {emotion} it is: {corpus} {split} number {number}!"
    dialogue = f"{corpus}{split}{emotion}{number // 2}"
    turn = {"split": split, "dialogue": dialogue, "turn": str(number % 2), "text": text}
    return {**turn, "label7": emotion, "emotions": emotion}
