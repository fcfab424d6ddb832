"""Trains the words channel: LoRA adapters in a multilingual encoder, and a head over EMOTIONS, several at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from networks.words import adapters
from networks.words.adapters import Words
from networks.words.trained import Encoder, TrainedWords
from training import device
from training.calibration import fit_vector_scaling
from training.card import Card
from training.data import dialogue, text
from training.data.text import DEV, TRAIN, VALIDATION, Texts
from training.loop import Log, Settings, Task, fit
from training.words import batches as words_batches
from training.words import encoder as words_encoder
from training.words import multilabel, report
from training.words.batches import Batch, States
from training.words.model import RANK, Lower, Upper, trained_tensors
from triptych.words.text import MAX_TOKENS
from triptych_client.contract import EMOTIONS

SETTINGS = Settings(epochs=6, learning_rate=1e-3, weight_decay=0.01, warmup_epochs=0.3, ema_decay=0.998, patience=6)
"""Six epochs of the loop are three passes over the data, see `training.words.batches.PARTS`."""
SPOKEN_SETTINGS = replace(SETTINGS, epochs=3)
"""A pass and a half: there is twice as much to read."""
CHOSEN_BY = ("goemotions", "cedr", "dailydialog", "xed_en")
"""Corpora, of those that are learnt from, whose mean of macro-F1 on validation chooses the epoch."""
BATCH_SIZE = 64
"""Of predictions; that of training is in `training.words.batches`."""


@dataclass(frozen=True)
class Part:
    """Texts of a split with their states."""

    texts: Texts
    states: States
    lengths: np.ndarray


def train_words(data: Path, out: Path, init: str | None = None, settings: Settings = SETTINGS) -> None:
    """Train on the texts in `data`; weights, card and pictures go to `out`. Interrupted, it goes on when repeated.

    `init` names a published encoder to start from (`hub:NAME`, `dir:PATH`); the result is then also kept as a
    checkpoint, `out/model`, for `triptych export`.
    """
    _train(text.load(data), out, init, settings, spoken=False)


def train_spoken(data: Path, out: Path, init: str | None = None, settings: Settings = SPOKEN_SETTINGS) -> None:
    """Do the same on what people say besides, see `training.data.dialogue`."""
    _train(text.join([text.load(data), dialogue.load(data)]), out, init, settings, spoken=True)


def _train(texts: Texts, out: Path, init: str | None, settings: Settings, spoken: bool) -> None:
    encoder, tokenizer = words_encoder.start(init)
    upper, log = train(encoder, tokenizer, texts, settings, out)
    words = Words({name: value.half() for name, value in trained_tensors(upper, encoder).items()})
    merged = words_encoder.start(init)[0]  # the first one's layers hold adapters by now
    words.merge(merged)
    unseen = texts.of([VALIDATION, DEV])
    logits = classify(TrainedWords(merged, words.head()).eval(), tokenizer, unseen.texts)
    words = calibrate(words, unseen, logits)
    adapters.save(words, out / adapters.FILE)
    if init:
        words_encoder.keep(merged, tokenizer, words, out / "model")
    card = _card(init, words, merged.num_parameters(), settings.device, spoken)
    report.publish(out, words, card, unseen, logits, {"adapters and head": log})
    words_batches.discard_states(out)


def _card(init: str | None, words: Words, parameters: int, device: str, spoken: bool) -> Card:
    source = init and ("dir:PATH" if init.startswith("dir:") else init)
    extra = (" --spoken" if spoken else "") + (f" --init {source}" if source else "")
    command = f"triptych train words --data DIR --out DIR{extra}"
    title, licence = words_encoder.describe(init)
    adapted = sum(tensor.numel() for tensor in words.tensors.values())
    values = {"encoder": title, "licence": licence, "adapters": adapted, "rank": RANK}
    return Card("words/spoken.md" if spoken else "words/adapters.md", command, parameters, device, values)


def train(encoder: Encoder, tokenizer: Tokenizer, texts: Texts, settings: Settings, out: Path) -> tuple[Upper, Log]:
    """Train adapters and head; return them as of the best epoch, and the log."""
    torch.manual_seed(settings.seed)
    lower = Lower(encoder).eval()
    lower.to(device.resolve(settings.device))
    learnt_from, validation = (_part(lower, tokenizer, texts.of([split]), out) for split in (TRAIN, VALIDATION))
    lower.to("cpu")
    upper = Upper(encoder, len(np.unique(learnt_from.texts.corpora)))
    chance = words_batches.chances(learnt_from.texts)
    task = Task(
        batches_per_epoch=words_batches.batches_in_part(chance),
        batches=lambda epoch, generator: _batches(
            learnt_from, words_batches.epoch_rows(chance, learnt_from.lengths, epoch, settings.seed)
        ),
        loss=_loss,
        evaluate=lambda average: evaluate(average, validation),
    )
    return upper, fit(upper, task, settings, out)


def evaluate(model: nn.Module, part: Part) -> Mapping[str, float]:
    """Return `measure` of the texts that the epoch is chosen by."""
    logits = np.zeros(part.texts.targets.shape, np.float32)
    for rows in words_batches.by_length(part.lengths, BATCH_SIZE):
        logits[rows] = device.predict(model, *part.states.batch(rows)).cpu().numpy()
    return measure(part.texts, logits)


def measure(texts: Texts, logits: np.ndarray) -> dict[str, float]:
    """Return the loss, macro-F1 of each measured corpus with the thresholds best for it, and as score their mean."""
    row = {"loss": float(binary_cross_entropy_with_logits(torch.from_numpy(logits), torch.from_numpy(texts.targets)))}
    corpora = [corpus for corpus in CHOSEN_BY if corpus in texts.corpora]
    for corpus in corpora:
        rows = texts.corpora == corpus
        targets = texts.targets[rows]
        row[corpus] = multilabel.macro_f1(targets, logits[rows], multilabel.best_thresholds(targets, logits[rows]))
    return row | {"score": float(np.mean([row[corpus] for corpus in corpora]))}


@torch.inference_mode()
def classify(model: nn.Module, tokenizer: Tokenizer, texts: tuple[str, ...]) -> np.ndarray:
    """Return logits f32 [n, 7] of a model of the step `text_emotion`, for texts cut as when served."""
    ids = words_batches.token_ids(tokenizer, texts, MAX_TOKENS)
    pad_id = words_batches.padding(tokenizer)
    logits = np.zeros((len(texts), len(EMOTIONS)), np.float32)
    for rows in words_batches.by_length(np.array([len(row) for row in ids]), BATCH_SIZE):
        logits[rows] = device.predict(model, *words_batches.pad([ids[row] for row in rows], pad_id))[0].cpu().numpy()
    return logits


def calibrate(words: Words, texts: Texts, logits: np.ndarray) -> Words:
    """Return the words with thresholds, and with scale and offset of the logits, fitted on the validation texts."""
    validation = texts.splits == VALIDATION
    rows = np.flatnonzero(validation)[text.single_rows(texts.targets[validation])]
    scale, offset = fit_vector_scaling(texts.targets[rows].argmax(1), logits[rows])
    thresholds = report.fit_thresholds(texts, logits)
    return replace(words, thresholds=thresholds, scale=_rounded(scale), offset=_rounded(offset))


def _part(lower: Lower, tokenizer: Tokenizer, texts: Texts, out: Path) -> Part:
    ids = words_batches.token_ids(tokenizer, texts.texts)
    return Part(texts, States(lower, ids, words_batches.padding(tokenizer), out), np.array([len(row) for row in ids]))


def _batches(part: Part, batches: Iterator[np.ndarray]) -> Iterator[Batch]:
    corpora = np.unique(part.texts.corpora, return_inverse=True)[1]
    for rows in batches:
        yield *part.states.batch(rows), torch.from_numpy(corpora[rows]), torch.from_numpy(part.texts.targets[rows])


def _loss(model: nn.Module, batch: Batch) -> Tensor:
    states, mask, corpus, targets = batch
    return binary_cross_entropy_with_logits(model(states, mask, corpus).float(), targets)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)
