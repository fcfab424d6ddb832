"""How fast are the trained words models, and how do they read short and long texts?

python -m benchmarks.words_lengths --data DIR [--repeats 200]

Times are of one utterance on one thread. F1 is of several emotions in one text, with the models' own thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.special import expit

from benchmarks.measure import interleave, publish, table
from benchmarks.served import BUILT, STEPS, Graph
from export import catalog, runner
from networks.words import adapters
from networks.words.adapters import Words
from training.data import text as data_text
from training.data.text import DEV, Texts
from training.metrics import Interval
from training.words import multilabel
from triptych.paths import CACHE, OWN_WEIGHTS

TOKENS = (16, 64, 128)
WORDS = (1, 9, 17, 25)
"""Least words, between spaces, of each bucket of texts."""
CORPORA = {"goemotions": "GoEmotions, English", "cedr": "CEDR, Russian"}
COMMAND = "python -m benchmarks.words_lengths --data DIR"


def main(
    data: Annotated[Path, typer.Option(help="Training and evaluation data.", exists=True, file_okay=False)],
    repeats: Annotated[int, typer.Option(min=3)] = 200,
) -> None:
    """Measure and publish."""
    graphs = [export(entry.name) for entry in catalog.fitting("text_emotion") if entry.weights]
    texts = data_text.load(data).of([DEV])
    publish("words_lengths", COMMAND, f"{time_table(graphs, repeats)}\n\n{length_table(graphs, texts)}")


def export(entry: str) -> Graph:
    """Export a words model, with what it brings, into a repository of its own."""
    folder = BUILT / entry
    plans = [plan for plan in runner.plan(folder, {"words": entry}, {}) if plan.entry.step in STEPS["words"]]
    runner.make(plans, folder, CACHE, lambda name, doing: None)
    return Graph("words", entry)


def time_table(graphs: Sequence[Graph], repeats: int) -> str:
    """Return the least and the median time of one utterance of so many tokens."""
    rows = []
    for tokens in TOKENS:
        ids = np.full((1, tokens), 5, np.int64)
        feeds = {"INPUT_IDS": ids, "ATTENTION_MASK": np.ones_like(ids)}
        times = interleave(repeats, *(partial(graph.logits, feeds) for graph in graphs))
        rows.append((tokens, *(f"{time.least * 1e3:.2f} ({time.median * 1e3:.2f})" for time in times)))
    sizes = ("file, MB", *(f"{graph.path.stat().st_size / 1e6:.1f}" for graph in graphs))
    return table(["tokens: ms, least (median)", *(graph.entry for graph in graphs)], [*rows, sizes])


def length_table(graphs: Sequence[Graph], texts: Texts) -> str:
    """Return macro-F1 by length of the text, on held-out texts of each corpus that all models know."""
    models = [adapters.load(OWN_WEIGHTS / graph.entry / adapters.FILE) for graph in graphs]
    rows = []
    for corpus, title in CORPORA.items():
        known = [(graph, words) for graph, words in zip(graphs, models) if corpus in words.thresholds]
        part = texts.of(corpora=[corpus])
        found = {graph.entry: by_length(part, graph.read_all(part.texts), words, corpus) for graph, words in known}
        for bucket, mask in buckets(part).items():
            cells = (found[graph.entry][bucket] if graph.entry in found else "" for graph in graphs)
            rows.append((title, bucket, int(mask.sum()), *cells))
    return table(["macro-F1 (95 % interval)", "words", "texts", *(graph.entry for graph in graphs)], rows)


def by_length(texts: Texts, logits: np.ndarray, words: Words, corpus: str) -> dict[str, Interval]:
    """Return macro-F1 of each bucket of texts of a corpus, by the served LOGITS f32 [n, 7] of a words model."""
    own = expit((logits - np.array(words.offset)) / np.array(words.scale))
    thresholds = np.array([np.nan if value is None else value for value in words.thresholds[corpus]])
    return {
        bucket: multilabel.macro_f1_interval(texts.targets[mask], own[mask], thresholds)
        for bucket, mask in buckets(texts).items()
    }


def buckets(texts: Texts) -> dict[str, np.ndarray]:
    """Return masks [n] of the texts of like length."""
    lengths = np.array([len(text.split()) for text in texts.texts])
    ends = (*(start - 1 for start in WORDS[1:]), max(lengths.max(), WORDS[-1]))
    return {f"{start} to {end}": (lengths >= start) & (lengths <= end) for start, end in zip(WORDS, ends)}


if __name__ == "__main__":
    typer.run(main)
