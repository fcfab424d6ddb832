"""What the channels are measured on: validation data that no weight was fitted to, and workloads of everyday size."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.served import Feeds, Graph, look
from training.data import fer
from training.data import text as data_text
from training.data.fer import LabelledFaces
from training.data.text import DEV
from training.face.motion import FRAMES, compose
from training.metrics import Scores, score
from triptych_client.contract import SAMPLE_RATE_HZ

TRACK_FACES = 16
"""Faces of one person in 8 s at two a second, as the ensemble samples them."""
SECONDS = {"one": 3.0, "many": 10.24}
"""Of sound: a window of the voice models, and a window of the Audio Spectrogram Transformer."""
SHORT_TEXT = "I can not believe that you really did this for me."
LONG_TEXT = " ".join([SHORT_TEXT] * 9)
"""About 30 s of speech, the longest utterance."""
SHORT_WORDS, LONG_WORDS = 6, 20
"""Texts of at most, and of at least, so many words are called short and long."""
CORPORA = ("goemotions", "cedr")
"""What people wrote, not what machines translated."""
FACES_AT_ONCE = 8 * FRAMES
SEQUENCES = 500


def workloads(slot: str) -> Mapping[str, str]:
    """Return the workloads of a channel, by their key, in words."""
    return {
        "face": {"one": "one face", "many": f"{TRACK_FACES} faces of a track"},
        "voice": {"one": "3 s", "many": "10.24 s"},
        "tags": {"many": "10.24 s"},
        "words": {"one": "an utterance of 11 words", "many": "an utterance of 99 words"},
    }[slot]


def workload(graph: Graph, key: str) -> Feeds:
    """Return the feeds of a workload for a model of its channel."""
    random = np.random.default_rng(0)
    if graph.slot == "face":
        count = TRACK_FACES if key == "many" else 1
        positions = np.stack([np.zeros(count), 500 * np.arange(count)], axis=1).astype(np.int64)
        return look(random.integers(0, 256, (count, 48, 48), dtype=np.uint8), positions)
    if graph.slot in ("voice", "tags"):
        return graph.hear(random.normal(0, 0.1, round(SECONDS[key] * SAMPLE_RATE_HZ)).astype(np.float32))
    return graph.read([LONG_TEXT if key == "many" else SHORT_TEXT])


@dataclass(frozen=True)
class Pictures:
    """FER2013's validation faces, alone and in synthetic sequences (`training.face.motion`)."""

    faces: LabelledFaces

    @classmethod
    def load(cls, data: Path) -> Pictures:
        """Read them; TriptychError when they are not there."""
        return cls(fer.load(data, 0.0)[1])

    def score_alone(self, graph: Graph) -> Scores:
        """Measure a face model on single pictures, each a track of its own."""
        positions = np.stack([np.arange(len(self.faces)), np.zeros(len(self.faces), np.int64)], axis=1)
        return score(self.faces.labels.numpy(), _answers(graph, self.faces.images.numpy(), positions))

    def score_sequences(self, graph: Graph) -> dict[str, Scores]:
        """Measure a face model on every frame of sequences, against the class that prevails in it."""
        found: dict[str, Scores] = {}
        for name, disturbed in (("undisturbed", False), ("disturbed", True)):
            generator = torch.Generator().manual_seed(0)
            chosen = torch.randperm(len(self.faces), generator=generator)[:SEQUENCES]
            sequences = compose(self.faces, chosen, disturbed, generator)
            frames, positions, targets = sequences.rows()
            labels, keys = targets.argmax(1).numpy(), positions[:, 0].numpy()
            logits = _answers(graph, frames.numpy(), positions.numpy())
            first, last = sequences.targets[:, 0].argmax(1), sequences.targets[:, -1].argmax(1)
            changing = (first != last).numpy()[keys]
            for part, mask in ((name, ~changing), (f"{name}, the expression changes", changing)):
                found[part] = score(labels[mask], logits[mask], keys[mask])
        return found


def _answers(graph: Graph, images: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return LOGITS f32 [m, 7] of faces u8 [m, 48, 48]; a batch ends with a track, FRAMES being its divisor."""
    batches = (slice(start, start + FACES_AT_ONCE) for start in range(0, len(images), FACES_AT_ONCE))
    return np.concatenate([graph.answer(look(images[rows], positions[rows])) for rows in batches])


@dataclass(frozen=True)
class Sentences:
    """Texts of the `dev` parts with exactly one of the seven emotions, their labels and languages [n]."""

    texts: np.ndarray
    labels: np.ndarray
    languages: np.ndarray

    @classmethod
    def load(cls, data: Path) -> Sentences:
        """Read them; TriptychError when they are not there."""
        texts = data_text.load(data).of([DEV], CORPORA)
        rows = data_text.single_rows(texts.targets)
        labels = texts.targets[rows].argmax(1)
        return cls(np.array(texts.texts, dtype=object)[rows], labels, texts.languages[rows])

    def parts(self, known: Collection[str] = ()) -> dict[str, np.ndarray]:
        """Return masks [n] by name: each language (of those that are `known`, if any), its short and its long texts."""
        words = np.array([len(text.split()) for text in self.texts])
        lengths = {
            f"at most {SHORT_WORDS} words": words <= SHORT_WORDS,
            f"{LONG_WORDS} words or more": words >= LONG_WORDS,
        }
        named: dict[str, np.ndarray] = {}
        for code, language in {"en": "English", "ru": "Russian"}.items():
            if known and code not in known:
                continue
            own = self.languages == code
            named |= {language: own} | {f"{language}, {name}": own & mask for name, mask in lengths.items()}
        return named

    def score(self, graph: Graph, known: Collection[str] = ()) -> dict[str, Scores]:
        """Measure a words model on each part, in the languages that it knows (any when empty)."""
        logits = graph.read_all(list(self.texts))
        return {name: score(self.labels[mask], logits[mask]) for name, mask in self.parts(known).items()}
