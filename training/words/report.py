"""How good the words channel is: thresholds from validation texts, tables of F1 on the measured ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import expit

from networks.words.adapters import Words
from training.card import Card, write_card
from training.data import text
from training.data.text import DEV, VALIDATION, Texts
from training.metrics import ClassScore, score
from training.words import multilabel
from triptych_client.contract import EMOTIONS

Thresholds = Mapping[str, tuple[float | None, ...]]
"""Corpus -> probability of each of EMOTIONS above which a text has it; None where no text of the corpus has."""


WRITTEN = ("goemotions", "cedr")
"""Corpora of the card's first table, whatever else was learnt from: words models can be compared by it."""


@dataclass(frozen=True)
class Measured:
    """A part of the data that results are given for, and the corpus that its annotators' thresholds are of."""

    title: str
    corpus: str
    thresholds: str


MEASURED = (
    Measured("GoEmotions, English", "goemotions", "goemotions"),
    Measured("CEDR, Russian", "cedr", "cedr"),
    Measured("GoEmotions translated to Russian", "ru_goemotions", "goemotions"),
    Measured("DailyDialog, English", "dailydialog", "dailydialog"),
    Measured("EmpatheticDialogues, English", "empathetic", "empathetic"),
    Measured("XED, subtitles, English", "xed_en", "xed_en"),
    Measured("XED, subtitles, Russian", "xed_ru", "xed_ru"),
)


def publish(
    out: Path,
    words: Words,
    card: Card,
    texts: Texts,
    logits: np.ndarray,
    runs: Mapping[str, Sequence[Mapping[str, float]]],
) -> None:
    """Write the model card and its pictures into `out`: results on the texts of DEV by their logits [n, 7].

    The card's template extends `words/card.md`.
    """
    dev = np.flatnonzero((texts.splits == DEV) & np.isin(texts.corpora, WRITTEN))
    rows = dev[text.single_rows(texts.targets[dev])]
    labels = texts.targets[rows].argmax(1)
    calibrated = logits[rows] * np.array(words.scale) + np.array(words.offset)
    results = {
        "parts": results_by_part(texts, logits, words.thresholds),
        "scale": _listed(words.scale),
        "offset": _listed(words.offset),
    }
    card = replace(card, values={**card.values, **results})
    write_card(out, card, score(labels, calibrated), score(labels, logits[rows]), runs)


def fit_thresholds(texts: Texts, logits: np.ndarray) -> Thresholds:
    """Return the thresholds of highest F1 on the validation texts, for each corpus that has any."""
    found = {}
    for corpus in (part.corpus for part in MEASURED if part.corpus == part.thresholds):
        rows = (texts.splits == VALIDATION) & (texts.corpora == corpus)
        if not rows.any():
            continue
        best = multilabel.best_thresholds(texts.targets[rows], expit(logits[rows]))
        found[corpus] = tuple(None if np.isnan(value) else round(float(value), 4) for value in best)
    return found


def results_by_part(texts: Texts, logits: np.ndarray, thresholds: Thresholds) -> list[dict[str, object]]:
    """Return of each measured part its macro-F1, a row of a table, and the F1 of each emotion, rows of another."""
    parts = []
    for part in MEASURED:
        rows = (texts.splits == DEV) & (texts.corpora == part.corpus)
        if not rows.any():
            continue
        targets, scores = texts.targets[rows], expit(logits[rows])
        limits = np.array([np.nan if value is None else value for value in thresholds[part.thresholds]])
        macro = multilabel.macro_f1_interval(targets, scores, limits)
        classes = multilabel.per_label(targets, scores, limits)
        row = (part.title, rows.sum(), macro, len(classes))
        parts.append({"title": part.title, "row": row, "classes": [_class_row(c, limits) for c in classes]})
    return parts


def _listed(values: Sequence[float]) -> list[str]:
    return [f"{value:.2f}" for value in values]


def _class_row(scores: ClassScore, limits: np.ndarray) -> tuple[object, ...]:
    numbers = (limits[EMOTIONS.index(scores.emotion)], scores.precision, scores.recall, scores.f1)
    return scores.emotion, *(f"{number:.3f}" for number in numbers), scores.support
