"""How much better than comparison with descriptions do trained adapters name the emotion of a text?

python -m benchmarks.words_trained --data DIR [--rows 700]

DIR holds text/ with the three corpora. Both models classify the same texts with one emotion, drawn at random from those
that training held out (`training.data.text`, split "dev"). The comparison's offsets in
networks/words/descriptions.py were fitted on 780 texts of the same corpora, some of which may be among these; the
adapters never saw one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.special import softmax
from tokenizers import Tokenizer
from torch import nn

from benchmarks.measure import publish, table
from export import catalog, fetch
from networks.words import adapters, comparison, e5
from networks.words import trained as trained_words
from training import metrics
from training.data import text
from training.data.text import DEV, Texts
from training.words.adapters import classify
from triptych.paths import CACHE

CORPORA = {"goemotions": "GoEmotions, English", "cedr": "CEDR, Russian", "ru_goemotions": "GoEmotions in Russian"}


def main(
    data: Annotated[Path, typer.Option()], rows: Annotated[int, typer.Option(min=10)] = 700, seed: int = 7
) -> None:
    """Classify a sample of each corpus with both models."""
    source, trained = (fetch.fetch(catalog.load()[name], CACHE) for name in (trained_words.ENCODER, "xlm-roberta"))
    models = {
        "comparison": comparison.build(source),
        "trained": trained_words.build(source, trained / adapters.FILE),
    }
    tokenizer, texts = e5.load_tokenizer(source), text.load(data)
    lines = [
        (title, *_compare(models, tokenizer, _sample(texts.of([DEV], [corpus]), rows, seed)))
        for corpus, title in CORPORA.items()
    ]
    header = ("held-out texts", "texts", *(f"{name}: accuracy, macro-F1, ECE" for name in models), "macro-F1 ratio")
    publish("words_trained", f"python -m benchmarks.words_trained --data DIR --rows {rows}", table(header, lines))


def _sample(texts: Texts, rows: int, seed: int) -> Texts:
    single = text.single_rows(texts.targets)
    return texts.choose(np.random.default_rng(seed).choice(single, min(rows, len(single)), replace=False))


def _compare(models: Mapping[str, nn.Module], tokenizer: Tokenizer, texts: Texts) -> tuple[object, ...]:
    labels, cells, scores = texts.targets.argmax(1), [], []
    for model in models.values():
        logits = classify(model, tokenizer, texts.texts)
        found = logits.argmax(1)
        scores.append(metrics.macro_f1(labels, found))
        error = metrics.expected_calibration_error(labels, softmax(logits, axis=1))
        cells.append(f"{100 * (found == labels).mean():.1f} %, {scores[-1]:.3f}, {error:.3f}")
    return len(labels), *cells, f"{scores[1] / scores[0]:.2f}"


if __name__ == "__main__":
    typer.run(main)
