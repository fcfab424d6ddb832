"""Trains the light words model on the labelled texts: BiLSTM and attention, from scratch but for its embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from export import catalog, fetch
from networks.weights import round_to_fp16
from networks.words import adapters, bilstm_vocabulary, e5, trained
from networks.words.adapters import Words
from networks.words.bilstm import PIECES, ROWS, WIDTH, BilstmAttention
from networks.words.bilstm_vocabulary import Vocabulary
from training import device
from training.card import Card
from training.data import text
from training.data.text import DEV, TRAIN, VALIDATION, Texts
from training.loop import Log, Settings, Task, fit
from training.words import report
from training.words.adapters import calibrate, measure
from training.words.batches import by_length, pad, token_ids
from triptych.files import write_atomically
from triptych.paths import CACHE
from triptych.words.text import MAX_TOKENS

BATCH_SIZE = 128
SORTED_BATCHES = 32
"""Batches are cut from so many batches' worth of utterances sorted by length: little padding, still mixed."""
SETTINGS = Settings(epochs=6, learning_rate=3e-3, weight_decay=0.02, warmup_epochs=0.5, ema_decay=0.995, patience=3)
VOCABULARY = "vocabulary.safetensors"

Batch = tuple[Tensor, Tensor, Tensor]
"""INPUT_IDS and ATTENTION_MASK int64 [u, length], targets f32 [u, 7]."""


def train_words_bilstm(data: Path, out: Path, settings: Settings = SETTINGS) -> None:
    """Train on the texts in `data`; weights, card and pictures go to `out`. Interrupted, it goes on when repeated."""
    texts = text.load(data)
    encoder = fetch.fetch(catalog.load()[trained.ENCODER], CACHE)
    model, log = train(texts, encoder, out, settings)
    round_to_fp16(model)
    unseen = texts.of([VALIDATION, DEV])
    logits = predict(model.eval(), token_ids(e5.load_tokenizer(encoder), unseen.texts, MAX_TOKENS))
    words = calibrate(Words(model.state_dict()), unseen, logits)
    adapters.save(words, out / adapters.FILE)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    command = "triptych train words --model bilstm --data DIR --out DIR"
    card = Card("words/bilstm.md", command, parameters, settings.device, {"licence": "MIT"})
    report.publish(out, words, card, unseen, logits, {"BiLSTM": log})


def train(texts: Texts, encoder: Path, out: Path, settings: Settings) -> tuple[BilstmAttention, Log]:
    """Train on the texts' `train` part, watching `validation`; return the model of the best epoch, and the log.

    `encoder` is the folder of multilingual-e5-small: the tokenizer and the embeddings to start from.
    """
    learnt, validation = texts.of([TRAIN]), texts.of([VALIDATION])
    tokenizer = e5.load_tokenizer(encoder)
    sequences, validation_sequences = token_ids(tokenizer, learnt.texts), token_ids(tokenizer, validation.texts)
    torch.manual_seed(settings.seed)
    model = BilstmAttention()
    start(model, _vocabulary(sequences, encoder, out))
    task = Task(
        batches_per_epoch=len(sequences) // BATCH_SIZE,
        batches=lambda epoch, generator: batches(sequences, learnt.targets, generator),
        loss=_loss,
        evaluate=lambda average: evaluate(average, validation_sequences, validation),
    )
    return model, fit(model, task, settings, out)


def start(model: BilstmAttention, vocabulary: Vocabulary) -> None:
    """Give an untrained model its vocabulary and the embeddings to start from."""
    model.row_of_piece.copy_(vocabulary.row_of_piece)
    with torch.no_grad():
        model.embedding.weight.copy_(vocabulary.table)


def batches(sequences: Sequence[Tensor], targets: np.ndarray, generator: torch.Generator) -> Iterator[Batch]:
    """Yield every utterance once, but for less than a batch, in batches of similar length and random order."""
    whole = len(sequences) // BATCH_SIZE * BATCH_SIZE
    shuffled = torch.randperm(len(sequences), generator=generator)[:whole].numpy()
    lengths = np.array([len(sequence) for sequence in sequences])
    cut = []
    for rows in np.split(shuffled, range(BATCH_SIZE * SORTED_BATCHES, whole, BATCH_SIZE * SORTED_BATCHES)):
        cut += [rows[chosen] for chosen in by_length(lengths[rows], BATCH_SIZE)]
    for number in torch.randperm(len(cut), generator=generator).tolist():
        ids, mask = pad([sequences[row] for row in cut[number]])
        yield ids, mask, torch.from_numpy(targets[cut[number]])


@torch.inference_mode()
def predict(model: BilstmAttention, sequences: Sequence[Tensor], batch_size: int = 256) -> np.ndarray:
    """Return logits f32 [n, 7] of id sequences, by a model in evaluation mode."""
    logits = np.zeros((len(sequences), model.head.out_features), np.float32)
    for rows in by_length(np.array([len(sequence) for sequence in sequences]), batch_size):
        logits[rows] = device.predict(model, *pad([sequences[row] for row in rows])).logits.cpu().numpy()
    return logits


def evaluate(model: nn.Module, sequences: Sequence[Tensor], texts: Texts) -> Mapping[str, float]:
    """Return the loss, macro-F1 of each measured corpus with the thresholds best for it, and as score their mean."""
    assert isinstance(model, BilstmAttention)
    return measure(texts, predict(model, sequences))


def _vocabulary(sequences: Sequence[Tensor], encoder: Path, out: Path) -> Vocabulary:
    """Return the run's vocabulary, made at its beginning: comparing all pieces takes a minute or two."""
    path = out / VOCABULARY
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        vectors = torch.from_numpy(e5.load_packed_vocabulary(encoder).unpacked()[:PIECES])
        made = bilstm_vocabulary.build(sequences, vectors, ROWS, WIDTH)
        tensors = {"row_of_piece": made.row_of_piece, "table": made.table.contiguous()}
        write_atomically(path, lambda partial: save_file(tensors, partial))
    return Vocabulary(**load_file(path))


def _loss(model: nn.Module, batch: Batch) -> Tensor:
    input_ids, attention_mask, targets = batch
    return binary_cross_entropy_with_logits(model(input_ids, attention_mask).logits.float(), targets)
