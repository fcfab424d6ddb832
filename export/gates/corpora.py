"""More real inputs, from a folder of corpora: faces, photographs, recordings, sounds without words, texts.

What the folder lacks is left out; the report names what was measured on.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Collection, Iterator
from pathlib import Path

import cv2
import numpy as np

from export.gates import inputs
from export.gates.inputs import SPEECH, WORDS, Feeds
from triptych.media import audio, probe
from triptych.media.limits import Limits
from triptych.media.pictures import MAX_SIDE_PX
from triptych_client.contract import FACE_PX

FER2013 = "fer2013_train_val.npz"
"""Arrays images u8 [n, 48, 48] and split [n], 1: validation."""
PHOTOGRAPHS = "face_detect/images"
RECORDINGS, SOUNDS = "asr/flac", "non_speech/clips"
TEXTS = {"text/goemotions_en.tsv.gz": "text", "text/ru_goemotions.tsv.gz": "text_ru"}
"""Tables, and the column with the text."""
MOST_FACES, MOST_TEXTS, MOST_SOUNDS = 256, 100, 60
"""So many are taken, evenly from all: of texts, of each table."""


def of_folder(folder: Path, repository: Path, steps: Collection[str]) -> dict[str, dict[str, Feeds]]:
    """Return what each of these steps is given, by step and by what it is of."""
    made: dict[str, dict[str, Feeds]] = {step: {} for step in steps}
    for step, name, feeds in _all(folder, repository, steps):
        made[step][name] = feeds
    return made


def faces(path: Path, most: int = MOST_FACES) -> Feeds:
    """Return validation faces of FER2013 as the step `expression` is given faces, each a person's only one."""
    with np.load(path, allow_pickle=False) as arrays:
        images = arrays["images"][arrays["split"] == 1]
    chosen = [images[number] for number in _evenly(len(images), most)]
    grown = np.stack([cv2.resize(image, (FACE_PX, FACE_PX), interpolation=cv2.INTER_CUBIC) for image in chosen])
    return inputs.of_faces(np.repeat(grown[..., None], 3, axis=3), np.arange(len(grown)), np.zeros(len(grown)))


def photographs(folder: Path) -> Feeds:
    """Return the pictures of a folder as the step `face_detector` is given frames, in a corner of one size each."""
    frames = []
    for path in sorted(folder.glob("*.jpg")):
        picture = np.asarray(cv2.imread(str(path)))[..., ::-1]
        scale = min(1.0, MAX_SIDE_PX / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        canvas = np.zeros((MAX_SIDE_PX, MAX_SIDE_PX, 3), np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        frames.append(canvas)
    return {"FRAMES": np.stack(frames)}


def texts(path: Path, column: str, repository: Path, most: int = MOST_TEXTS) -> Feeds:
    """Return texts of a table as the step `text_emotion` is given them."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row[column] for row in csv.DictReader(file, delimiter="\t")]
    return inputs.of_texts([rows[number] for number in _evenly(len(rows), most)], repository)


def recordings(folder: Path, repository: Path, most: int = MOST_SOUNDS) -> dict[str, Feeds]:
    """Return what the steps that hear are given for the recordings of a folder, one after the other, by step."""
    found: dict[str, list[Feeds]] = {}
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    for number in _evenly(len(paths), most):
        pcm = audio.decode(paths[number].read_bytes(), probe.longest_s(Limits())).pcm
        if len(pcm):
            for step, feeds in inputs.of_sound(pcm, repository).items():
                found.setdefault(step, []).append(feeds)
    return {step: _joined(feeds) for step, feeds in found.items()}


def _all(folder: Path, repository: Path, steps: Collection[str]) -> Iterator[tuple[str, str, Feeds]]:
    if "expression" in steps and (folder / FER2013).is_file():
        yield "expression", "FER2013 validation", faces(folder / FER2013)
    if "face_detector" in steps and (folder / PHOTOGRAPHS).is_dir():
        yield "face_detector", PHOTOGRAPHS, photographs(folder / PHOTOGRAPHS)
    if WORDS in steps:
        for name, column in TEXTS.items():
            if (folder / name).is_file():
                yield WORDS, name, texts(folder / name, column, repository)
    for name, heard in ((RECORDINGS, inputs.SOUNDS | SPEECH), (SOUNDS, inputs.SOUNDS)):
        if not heard.isdisjoint(steps) and (folder / name).is_dir():
            made = recordings(folder / name, repository)
            yield from ((step, name, feeds) for step, feeds in made.items() if step in heard.intersection(steps))


def _joined(feeds: list[Feeds]) -> Feeds:
    """Return the rows of several as one."""
    return {name: np.concatenate([one[name] for one in feeds]) for name in feeds[0]}


def _evenly(count: int, most: int) -> list[int]:
    """Return numbers below `count`, at most so many, the same distance apart."""
    return np.linspace(0, count - 1, min(most, count)).astype(int).tolist()
