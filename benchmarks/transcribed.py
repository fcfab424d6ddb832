"""Recordings with what was said in them: a table of files, or a folder as LibriSpeech has it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import TriptychError

SPLITS = ("test-clean", "test-other")


@dataclass(frozen=True)
class Transcribed:
    """One recording: its file, the language and the words of it. `asked`: the language is told to the recogniser."""

    path: Path
    language: str
    words: str
    asked: bool = False


def of_table(folder: Path) -> list[Transcribed]:
    """Return the recordings of manifest.csv in a folder: columns file, lang, transcript."""
    table = folder / "manifest.csv"
    if not table.is_file():
        raise TriptychError(f"there is no {table}: --data is the folder that holds asr/manifest.csv")
    with table.open(encoding="utf-8", newline="") as file:
        return [Transcribed(folder / row["file"], row["lang"], row["transcript"]) for row in csv.DictReader(file)]


def of_librispeech(folder: Path, splits: Sequence[str], most: int | None = None) -> dict[str, list[Transcribed]]:
    """Return the recordings of each split of LibriSpeech, at most so many, evenly from all.

    `folder` is where the archives were unpacked, LibriSpeech/, with SPLIT/SPEAKER/CHAPTER/*.flac and, for each chapter,
    SPEAKER-CHAPTER.trans.txt. As in Whisper's paper the language is not guessed. TriptychError: a split or a recording
    is missing.
    """
    return {split: _some(list(_of_split(folder, split)), most) for split in splits}


def _of_split(folder: Path, split: str) -> Iterator[Transcribed]:
    tables = sorted((folder / split).glob("*/*/*.trans.txt"))
    if not tables:
        raise TriptychError(
            f"there is no {split}/SPEAKER/CHAPTER/*.trans.txt in {folder}: unpack {split}.tar.gz of openslr.org/12, "
            "and name the folder LibriSpeech that is in it"
        )
    for table in tables:
        for line in table.read_text(encoding="utf-8").splitlines():
            name, _, words = line.partition(" ")
            path = table.parent / f"{name}.flac"
            if not path.is_file():
                raise TriptychError(f"{path} is missing, which {table.name} has the words of: unpack {split} again")
            yield Transcribed(path, "en", words, asked=True)


def _some(recordings: list[Transcribed], most: int | None) -> list[Transcribed]:
    every = len(recordings) / min(most or len(recordings), len(recordings))
    return [recordings[int(number * every)] for number in range(round(len(recordings) / every))]
