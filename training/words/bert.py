"""Trains the English words model: adapters and a head on a BERT of six layers, see networks/words/bert.py."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertModel

from export import catalog, fetch
from networks.words import adapters as words_weights
from networks.words import bert, e5
from networks.words import trained as trained_words
from networks.words.adapters import Words
from training.card import Card
from training.data import text
from training.data.text import DEV, TRAIN, VALIDATION
from training.loop import Settings
from training.words import adapters as words
from training.words import report
from training.words.model import RANK, trained_tensors
from triptych.paths import CACHE

SETTINGS = Settings(epochs=4, learning_rate=1e-3, weight_decay=0.01, warmup_epochs=0.3, ema_decay=0.998, patience=4)
"""Four epochs of the loop are two passes over the data, see `training.words.batches.PARTS`."""


def train_words_bert(data: Path, out: Path, settings: Settings = SETTINGS) -> None:
    """Train on the English texts in `data`; weights, card and pictures go to `out`. Interrupted, it goes on."""
    texts = text.load(data).of(languages=["en"])
    source = fetch.fetch(catalog.load()[trained_words.ENCODER], CACHE)
    pieces = bert.english_pieces(e5.load_tokenizer(source), texts.of([TRAIN]).texts)
    encoder, tokenizer = start(source, pieces)
    upper, log = words.train(encoder, tokenizer, texts, settings, out)
    adapters = {name: value.half() for name, value in trained_tensors(upper, encoder).items()}
    merged = start(source, pieces)[0]  # the first one's layers hold adapters by now
    trained = Words({**adapters, bert.PIECES: pieces.int()})
    trained.merge(merged)
    unseen = texts.of([VALIDATION, DEV])
    model = trained_words.TrainedWords(merged, trained.head()).eval()
    logits = words.classify(model, tokenizer, unseen.texts)
    trained = words.calibrate(trained, unseen, logits)
    words_weights.save(trained, out / words_weights.FILE)
    command = "triptych train words --model bert --data DIR --out DIR"
    card = Card("words/bert.md", command, merged.num_parameters(), settings.device, {"rank": RANK})
    report.publish(out, trained, card, unseen, logits, {"adapters and head": log})


def start(source: Path, pieces: Tensor) -> tuple[BertModel, Tokenizer]:
    """Return encoder and tokenizer over `pieces` int64 [n] of multilingual-e5-small, in folder `source`."""
    return bert.load_encoder(source, pieces), e5.load_tokenizer(source, pieces.tolist())
