"""How well does comparison with descriptions name the emotion of a text that no head was trained on?

python -m benchmarks.words_zero_shot --data DIR [--rows 350]

DIR holds goemotions_en.tsv.gz and cedr_ru.tsv.gz. Texts with one of the seven emotions are drawn at random, as frequent
as they come. The offsets in export/descriptions.py were fitted on 420 texts of GoEmotions' other part, and on 360 of
the 7,400 of CEDR, so that about one in twenty of the Russian sample is among those.
"""

from __future__ import annotations

import csv
import gzip
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime
import typer
from sklearn.metrics import accuracy_score, f1_score
from tokenizers import Tokenizer

from benchmarks.measure import publish, table
from triptych.fusion import softmax
from triptych.server import MODEL_REPOSITORY
from triptych.text import tokenize
from triptych_client.contract import EMOTIONS

NAMES = {"joy": "happiness", "no_emotion": "neutral"}
BATCH = 32


@dataclass(frozen=True)
class Corpus:
    """A file of labelled texts."""

    title: str
    file: str
    column: str


CORPORA = (
    Corpus("GoEmotions, English, training part", "goemotions_en.tsv.gz", "ekman"),
    Corpus("CEDR, Russian, training part", "cedr_ru.tsv.gz", "emotions"),
)


def main(
    data: Annotated[Path, typer.Option()], rows: Annotated[int, typer.Option(min=10)] = 350, seed: int = 7
) -> None:
    """Classify a sample of each corpus with the served graph."""
    lines = []
    for corpus in CORPORA:
        texts, labels = _sample(data / corpus.file, corpus.column, rows, seed)
        probabilities = _classify(texts)
        found = probabilities.argmax(axis=1)
        present = sorted(set(labels))
        lines.append(
            (
                corpus.title,
                len(texts),
                f"{100 * accuracy_score(labels, found):.1f} %",
                f"{f1_score(labels, found, labels=present, average='macro'):.3f}",
                f"{100 * np.bincount(labels).max() / len(labels):.1f} %",
                f"{100 * probabilities.max(axis=1).mean():.1f} %",
            )
        )
    header = ("corpus", "texts", "accuracy", "macro-F1", "always the most frequent", "mean confidence")
    publish("words_zero_shot", f"python -m benchmarks.words_zero_shot --data DIR --rows {rows}", table(header, lines))


def _sample(path: Path, column: str, rows: int, seed: int) -> tuple[list[str], np.ndarray]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        train = [row for row in csv.DictReader(file, delimiter="\t") if row["split"] == "train"]
    labelled = [(row["text"], NAMES.get(row[column], row[column])) for row in train]
    single = [(text, EMOTIONS.index(label)) for text, label in labelled if label in EMOTIONS]
    texts, labels = zip(*random.Random(seed).sample(single, rows), strict=True)
    return list(texts), np.array(labels)


def _classify(texts: list[str]) -> np.ndarray:
    """Return probabilities [n, 7]."""
    tokenizer = Tokenizer.from_file(str(MODEL_REPOSITORY / "text_tokens" / "1" / "tokenizer.json"))
    session = onnxruntime.InferenceSession(MODEL_REPOSITORY / "text_emotion" / "1" / "model.onnx")
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    logits = np.zeros((len(texts), len(EMOTIONS)), np.float32)
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        ids, mask = tokenize(tokenizer, [texts[i] for i in batch])
        (logits[batch],) = session.run(["LOGITS"], {"INPUT_IDS": ids, "ATTENTION_MASK": mask})
    return softmax(logits)


if __name__ == "__main__":
    typer.run(main)
