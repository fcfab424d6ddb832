"""Labelled sounds, and the emotion that each kind of them is expected to express: what fits the tag comparison.

The expectations are ours, after what AudioSet's ontology says of its classes ("Gasp: .. often indicates shock or
surprise"); kinds on which it says nothing of the sort, or names several emotions, are expected to say nothing, or are
left out (a sigh, a groan, one person's clapping). No class of AudioSet expresses disgust.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from triptych.answer.status import OK
from triptych.errors import TriptychError
from triptych.media import audio
from triptych.sound.mel import sound_log_mel

FOLDER = "audio_tags"
LABELS = "labels.csv"
MAX_SECONDS = 60.0


@dataclass(frozen=True)
class Kind:
    """A kind of sound: the emotion it is expected to express (None: it says nothing), AudioSet's classes of it."""

    emotion: str | None
    classes: tuple[str, ...]
    words: tuple[str, ...] = ()
    """What labels of recordings call it, besides the classes' names."""


KINDS = {
    "laughter": Kind(
        "happiness",
        ("Laughter", "Baby laughter", "Giggle", "Snicker", "Belly laugh", "Chuckle, chortle"),
        ("laugh", "laughing"),
    ),
    "approval": Kind("happiness", ("Cheering", "Applause"), ("cheer", "applause")),
    "happy music": Kind("happiness", ("Happy music",)),
    "crying": Kind(
        "sadness", ("Crying, sobbing", "Baby cry, infant cry", "Wail, moan"), ("cry", "crying", "crying_baby", "sob")
    ),
    "sad music": Kind("sadness", ("Sad music",)),
    "screaming": Kind("fear", ("Screaming",), ("scream",)),
    "scary music": Kind("fear", ("Scary music",)),
    "angry voices": Kind("anger", ("Shout", "Yell", "Growling"), ("shouting", "yelling")),
    "angry music": Kind("anger", ("Angry music",)),
    "gasping": Kind("surprise", ("Gasp",), ("gasping",)),
    "speech": Kind(
        None,
        ("Speech", "Conversation", "Narration, monologue", "Child speech, kid speaking", "Speech synthesizer",
         "Chatter"),
        ("talking",),
    ),
    "silence": Kind(None, ("Silence",)),
    "music": Kind(
        None,
        ("Music", "Musical instrument", "Pop music", "Rock music", "Classical music", "Jazz", "Electronic music",
         "Singing", "A capella", "Piano", "Guitar", "Orchestra", "Background music"),
    ),
    "body": Kind(
        None, ("Cough", "Sneeze", "Throat clearing", "Breathing", "Walk, footsteps", "Finger snapping"), ("footsteps",)
    ),
    "things": Kind(
        None,
        ("Knock", "Door", "Typing", "Dishes, pots, and pans", "Telephone", "Alarm clock", "Alarm",
         "Smoke detector, smoke alarm", "Clock", "Tools"),
    ),
    "machines": Kind(None, ("Vehicle", "Car", "Engine", "Train", "Vacuum cleaner")),
    "nature": Kind(None, ("Wind", "Rain", "Water", "Bird", "Dog", "Cat", "Meow", "Pig", "Oink", "Animal")),
    "rooms": Kind(
        None,
        ("Inside, small room", "Inside, large room or hall", "Outside, urban or manmade", "Outside, rural or natural"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class TaggedSound:
    """Tag probabilities float32 [p, classes] of a sound's windows and their lengths [p] in seconds, and its kind."""

    name: str
    kind: str
    scores: np.ndarray
    lengths: np.ndarray
    recorded: bool

    @property
    def emotion(self) -> str | None:
        """What it is expected to express; None: nothing."""
        return KINDS[self.kind].emotion


def named(classes: Sequence[str]) -> list[TaggedSound]:
    """Return a sound for each class of a kind that the tagger has: that class alone, heard for certain."""
    identity = np.eye(len(classes), dtype=np.float32)
    return [
        TaggedSound(name, kind, identity[[classes.index(name)]], np.ones(1, np.float32), recorded=False)
        for kind, about in KINDS.items()
        for name in about.classes
        if name in classes
    ]


def recorded(data: Path, tagger: onnxruntime.InferenceSession) -> list[TaggedSound]:
    """Return the recordings of a known kind below `data/audio_tags`, as the tagger hears them.

    Each folder has a labels.csv with the columns file and label (or name, with rank 0 for the strongest). TriptychError
    when there is none, a file is missing or damaged, or no recording is of a kind that expresses an emotion.
    """
    kinds = _kinds()
    sounds = [
        TaggedSound(
            str(path.relative_to(data / FOLDER)), kinds[label.lower()], *tag_windows(path, tagger), recorded=True
        )
        for path, label in labelled(data)
        if label.lower() in kinds
    ]
    if not any(sound.emotion for sound in sounds):
        words = ", ".join(kind for kind, about in KINDS.items() if about.emotion)
        raise TriptychError(f"{data / FOLDER} has no recording that expresses an emotion: label some as {words}")
    return sounds


def labelled(data: Path) -> Iterator[tuple[Path, str]]:
    """Yield each recording below `data/audio_tags` with its label."""
    tables = sorted((data / FOLDER).glob(f"*/{LABELS}"))
    if not tables:
        raise TriptychError(
            f"{data / FOLDER} has no folder with recordings and a {LABELS} (columns file, label): --data is the folder "
            f"that holds {FOLDER}/"
        )
    for table in tables:
        for row in _rows(table):
            file_name, label = row.get("file"), row.get("label") or row.get("name")
            if not file_name or not label:
                raise TriptychError(f"{table} needs the columns file and label in every row")
            if row.get("rank", "0") == "0":
                yield table.parent / file_name, label


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TriptychError(f"{table} is not a readable table: {error}. Fetch it again.") from error


def tag_windows(path: Path, tagger: onnxruntime.InferenceSession) -> tuple[np.ndarray, np.ndarray]:
    """Return the tagger's probabilities [p, classes] in the windows of a recording, and the windows' lengths [p]."""
    try:
        sound = audio.decode(path.read_bytes(), MAX_SECONDS)
    except (OSError, TriptychError) as error:
        raise TriptychError(f"{path}, which {path.parent / LABELS} names, cannot be read: {error}") from error
    if sound.status != OK:
        raise TriptychError(f"{path}, which {path.parent / LABELS} names, cannot be used: {sound.status.reason}")
    windows, spans = audio.sound_windows(sound.pcm)
    (scores,) = tagger.run(["TAGS"], {"FEATURES": np.stack([sound_log_mel(window) for window in windows])})
    return np.asarray(scores), spans[:, 1] - spans[:, 0]


def _kinds() -> dict[str, str]:
    """Return the kind of each label, in lower case."""
    return {word.lower(): kind for kind, about in KINDS.items() for word in (kind, *about.classes, *about.words)}
