"""Does a words model that learnt from what people say name the emotion of it better, and what does it lose elsewhere?

python -m benchmarks.words_spoken --data DIR [--entry xlm-roberta --entry ANOTHER]

DIR holds text/ with all corpora of `training.data.text` and `training.data.dialogue`. Every model classifies the same
lines with one emotion, which training held out, by the likeliest emotion of its own logits. Macro-F1 is over all
emotions that the corpus has; of DailyDialog, of which 88 % is neutral, over the other six.

Then the contrast set of the tests, short texts in English and Russian that one word alone would misjudge: negation,
who laughs at whom, irony. A model is right there when its likeliest emotion is one of those that were written down.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from sklearn.metrics import f1_score

from benchmarks.measure import publish, table
from export import catalog, fetch
from networks.words import adapters, e5
from networks.words import trained as trained_words
from training.data import dialogue, text
from training.data.text import DEV, Texts
from training.metrics import RESAMPLES
from training.words.adapters import classify
from triptych.paths import CACHE, ROOT
from triptych_client.contract import EMOTIONS

CORPORA = {
    "goemotions": "GoEmotions, English comments",
    "cedr": "CEDR, Russian posts",
    "ru_goemotions": "GoEmotions translated to Russian",
    "dailydialog": "DailyDialog, English, without neutral",
    "empathetic": "EmpatheticDialogues, English",
    "xed_en": "XED, subtitles, English",
    "xed_ru": "XED, subtitles, Russian",
}
NEUTRAL = EMOTIONS.index("neutral")
MOSTLY_NEUTRAL = ("dailydialog",)
CONTRAST = ROOT / "tests" / "samples" / "contrast.tsv"


def main(
    data: Annotated[Path, typer.Option()],
    entry: Annotated[list[str] | None, typer.Option(help="Catalogue entries to compare.")] = None,
) -> None:
    """Classify the held-out lines of each corpus with each model."""
    entries = entry or ["xlm-roberta"]
    texts = text.join([text.load(data), dialogue.load(data)]).of([DEV])
    texts = texts.choose(text.single_rows(texts.targets))
    found = {name: _named(name, texts.texts) for name in entries}
    lines = [_line(corpus, texts, found) for corpus in CORPORA]
    command = " ".join(["python -m benchmarks.words_spoken --data DIR", *(f"--entry {name}" for name in entry or ())])
    page = table(("held-out lines", "lines", *entries, "last less first"), lines)
    publish("words_spoken", command, f"{page}\n\n{_contrast(entries)}")


def _named(name: str, texts: Sequence[str]) -> np.ndarray:
    """Return the likeliest emotion of each text, by a model of the catalogue."""
    source, trained = (fetch.fetch(catalog.load()[part], CACHE) for part in (trained_words.ENCODER, name))
    model = trained_words.build(source, trained / adapters.FILE)
    return classify(model, e5.load_tokenizer(source), tuple(texts)).argmax(1)


def _contrast(entries: Sequence[str]) -> str:
    """Return the table of the contrast set."""
    with CONTRAST.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    kinds = np.array([f"{row['language']}, {row['kind']}" for row in rows])
    right = []
    for name in entries:
        named = _named(name, [row["text"] for row in rows])
        right.append(np.array([EMOTIONS[place] in row["expected"].split() for place, row in zip(named, rows)]))
    lines = [
        (kind, (kinds == kind).sum(), *(f"{one[kinds == kind].mean():.2f}" for one in right))
        for kind in np.unique(kinds)
    ]
    lines.append(("all", len(rows), *(f"{one.mean():.2f}" for one in right)))
    return table(("contrast set", "texts", *(f"right, {name}" for name in entries)), lines)


def _line(corpus: str, texts: Texts, found: dict[str, np.ndarray]) -> tuple[object, ...]:
    rows = np.flatnonzero(texts.corpora == corpus)
    labels = texts.targets[rows].argmax(1)
    named = [predicted[rows] for predicted in found.values()]
    cells = [f"{_macro_f1(corpus, labels, one):.3f}" for one in named]
    return CORPORA[corpus], len(rows), *cells, _difference(corpus, labels, named[0], named[-1])


def _macro_f1(corpus: str, labels: np.ndarray, predicted: np.ndarray) -> float:
    present = [emotion for emotion in np.unique(labels) if corpus not in MOSTLY_NEUTRAL or emotion != NEUTRAL]
    return float(f1_score(labels, predicted, labels=present, average="macro", zero_division=0))


def _difference(corpus: str, labels: np.ndarray, first: np.ndarray, last: np.ndarray) -> str:
    """Return how much macro-F1 the last model has above the first, with its bootstrap interval, lines being drawn."""
    random, differences = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(labels), len(labels))
        differences.append(
            _macro_f1(corpus, labels[drawn], last[drawn]) - _macro_f1(corpus, labels[drawn], first[drawn])
        )
    low, high = np.percentile(differences, (2.5, 97.5))
    return f"{_macro_f1(corpus, labels, last) - _macro_f1(corpus, labels, first):+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    typer.run(main)
