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
from training.metrics import ClassScore, Interval, score
from training.words import multilabel
from training.words.model import RANK
from triptych_client.contract import EMOTIONS

SUMMARY = (
    "The emotion that words express, over anger, disgust, fear, happiness, sadness, surprise and neutral. {encoder}, "
    "with LoRA adapters of rank {rank} in every matrix of the upper half of its layers, the mean over the tokens and "
    "one linear layer: {adapters:.2f} M weights were trained and are in this folder, the encoder is not. Texts are "
    "read as the server reads them, with `query: ` before them; in training they were cut at 48 tokens. Loss: binary "
    "cross-entropy of each emotion by itself. Of an emotion with more than 4,000 texts in its corpus, another part "
    "was drawn at each pass."
)
DATA = (
    "GoEmotions (English comments on Reddit, 27 emotions grouped as Ekman's six and neutral), CEDR (Russian posts and"
    " news; joy is happiness, no emotion is neutral, disgust was not annotated), and half of a machine translation of"
    " GoEmotions' dev part into Russian."
)
TERMS = "Terms: GoEmotions CC BY 4.0, CEDR Apache-2.0, Russian GoEmotions MIT; those of the encoder are {licence}."
SPLITS = (
    "Measured on texts that were neither trained nor tuned on, in the corpora's own mix of emotions. CEDR: a "
    "stratified fifth of its published training part. GoEmotions: half of its published dev part. The other half's "
    "Russian translation was trained on, so that these texts are no longer unseen in English either: they are left "
    "out. Epoch, thresholds and calibration come from a validation tenth of both training parts. Texts of training "
    "that stand word for word in the dev parts were dropped."
)
LIMITS = (
    "Written comments, posts and news, not speech: how something is said is not in it, and irony mostly escapes it. "
    "English and Russian were trained and measured; other languages rest on what the encoder carries over and were "
    "not measured. Disgust was seen in English and in machine translation only. Machine translations are read worse "
    "than what was written in Russian. Annotators agree moderately. Names and topics that stand beside an emotion in "
    "Reddit's comments may sway it. Not for emotion inference at work or in education."
)
NOTE = (
    "The table above is of the served logits, one emotion a text, on the held-out texts of GoEmotions and CEDR that "
    "have exactly one. Below, several emotions can be in one text: each has its own probability, the sigmoid of the "
    "head's logit, and is found when that is above its threshold (in the metadata of the weights; one set for each "
    "corpus, since annotators of different guidelines name emotions more or less readily). Macro-F1 is the plain mean"
    " of F1 over the emotions that the corpus has, neutral among them.\n\n{tables}"
)
CALIBRATION = (
    "the served LOGITS are over all seven, scale x logit + offset (vector scaling, Guo et al. 2017), fitted on the "
    "validation texts with one emotion: scale {scale}, offset {offset}; each emotion's own logit is (LOGITS - offset)"
    " / scale; the error is of the held-out texts in the first table"
)

Thresholds = Mapping[str, tuple[float | None, ...]]
"""Corpus -> probability of each of EMOTIONS above which a text has it; None where no text of the corpus has."""


@dataclass(frozen=True)
class Origin:
    """The encoder that was adapted."""

    name: str
    licence: str
    parameters: int


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
)


def write(
    out: Path,
    words: Words,
    encoder: Origin,
    texts: Texts,
    logits: np.ndarray,
    log: Sequence[Mapping[str, float]],
    command: str,
) -> None:
    """Write the model card of an encoder with adapters, and its pictures, into `out`; see `publish`."""
    card = Card(
        title="Words: XLM-RoBERTa encoder with LoRA adapters",
        summary=SUMMARY.format(
            encoder=encoder.name, rank=RANK, adapters=sum(tensor.numel() for tensor in words.tensors.values()) / 1e6
        ),
        data=DATA,
        terms=TERMS.format(licence=encoder.licence),
        splits=SPLITS,
        limits=LIMITS,
        command=command,
        parameters=encoder.parameters,
        temperature=1.0,
    )
    publish(out, words, card, texts, logits, {"adapters and head": log})


def publish(
    out: Path,
    words: Words,
    card: Card,
    texts: Texts,
    logits: np.ndarray,
    runs: Mapping[str, Sequence[Mapping[str, float]]],
) -> None:
    """Write the model card and its pictures into `out`: results on the texts of DEV by their logits [n, 7]."""
    dev = np.flatnonzero((texts.splits == DEV) & np.isin(texts.corpora, list(words.thresholds)))
    rows = dev[text.single_rows(texts.targets[dev])]
    labels = texts.targets[rows].argmax(1)
    calibrated = logits[rows] * np.array(words.scale) + np.array(words.offset)
    card = replace(
        card,
        note=NOTE.format(tables=tables(texts, logits, words.thresholds)),
        calibration=CALIBRATION.format(scale=_listed(words.scale), offset=_listed(words.offset)),
    )
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


def tables(texts: Texts, logits: np.ndarray, thresholds: Thresholds) -> str:
    """Return the results on the measured texts as Markdown: macro-F1 of each part, then F1 of each emotion."""
    head = "| held-out texts | samples | macro-F1 (95 % bootstrap interval) | labels |\n|---|---|---|---|\n"
    lines, sections = [], []
    for part in MEASURED:
        rows = (texts.splits == DEV) & (texts.corpora == part.corpus)
        if not rows.any():
            continue
        targets, scores = texts.targets[rows], expit(logits[rows])
        limits = np.array([np.nan if value is None else value for value in thresholds[part.thresholds]])
        macro = multilabel.macro_f1_interval(targets, scores, limits)
        classes = multilabel.per_label(targets, scores, limits)
        lines.append(f"| {part.title} | {rows.sum()} | {_interval(macro)} | {len(classes)} |")
        sections.append(f"{part.title}:\n\n{_classes(classes, limits)}")
    return "\n\n".join([head + "\n".join(lines), *sections])


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _interval(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _classes(classes: list[ClassScore], limits: np.ndarray) -> str:
    head = "| emotion | threshold | precision | recall | F1 | samples |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| {c.emotion} | {limits[EMOTIONS.index(c.emotion)]:.3f} | {c.precision:.3f} | {c.recall:.3f} | {c.f1:.3f} "
        f"| {c.support} |"
        for c in classes
    )
