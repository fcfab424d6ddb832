"""Trains the English words model: adapters and a head on a BERT of six layers, see networks/words/bert.py."""

from __future__ import annotations

from dataclasses import replace
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
from training.words.model import RANK, learnt
from triptych.paths import CACHE

SETTINGS = Settings(epochs=4, learning_rate=1e-3, weight_decay=0.01, warmup_epochs=0.3, ema_decay=0.998, patience=4)
"""Four epochs of the loop are two passes over the data, see `training.words.batches.PARTS`."""

CARD = Card(
    title="Words, English: BERT of six layers with LoRA adapters",
    summary=(
        "The emotion that English words express, over anger, disgust, fear, happiness, sadness, surprise and neutral. "
        "The encoder is the lower half of multilingual-e5-small (a BERT, 384 wide as MiniLM), with the embeddings of "
        "the pieces that English texts hold and a tokenizer over these alone; LoRA adapters of rank "
        f"{RANK} in every matrix of its upper three layers, the mean over the tokens and one linear layer. Adapters, "
        "head and the list of pieces are in this folder, the encoder is not. Texts are read as the server reads them, "
        "with `query: ` before them; in training they were cut at 48 tokens. Loss: binary cross-entropy of each "
        "emotion by itself. Of an emotion with more than 4,000 texts, another part was drawn at each pass."
    ),
    data="GoEmotions (English comments on Reddit, 27 emotions grouped as Ekman's six and neutral).",
    terms="Terms: GoEmotions CC BY 4.0; those of the encoder are MIT.",
    splits=(
        "Measured on half of GoEmotions' published dev part, the same texts as the other words models: neither trained "
        "nor tuned on, in the corpus's own mix of emotions. Epoch, thresholds and calibration come from a validation "
        "tenth of the training part. Texts of training that stand word for word in the dev part were dropped."
    ),
    limits=(
        "English only: of another language it reads single characters, and what it answers then means nothing. Written "
        "comments, not speech: how something is said is not in it, and irony mostly escapes it. Annotators agree "
        "moderately. Names and topics that stand beside an emotion in Reddit's comments may sway it. Not for emotion "
        "inference at work or in education."
    ),
    command="triptych train words --model bert --data DIR --out DIR",
    parameters=0,
    temperature=1.0,
)


def train_words_bert(data: Path, out: Path, settings: Settings = SETTINGS) -> None:
    """Train on the English texts in `data`; weights, card and pictures go to `out`. Interrupted, it goes on."""
    texts = text.load(data).of(languages=["en"])
    source = fetch.fetch(catalog.load()[trained_words.ENCODER], CACHE)
    pieces = bert.english_pieces(e5.load_tokenizer(source), texts.of([TRAIN]).texts)
    encoder, tokenizer = start(source, pieces)
    upper, log = words.train(encoder, tokenizer, texts, settings, out)
    adapters = {name: value.half() for name, value in learnt(upper, encoder).items()}
    merged = start(source, pieces)[0]  # the first one's layers hold adapters by now
    trained = Words({**adapters, bert.PIECES: pieces.int()})
    trained.merge(merged)
    unseen = texts.of([VALIDATION, DEV])
    model = trained_words.TrainedWords(merged, trained.head()).eval()
    logits = words.classify(model, tokenizer, unseen.texts)
    trained = words.calibrate(trained, unseen, logits)
    words_weights.save(trained, out / words_weights.FILE)
    card = replace(CARD, parameters=merged.num_parameters())
    report.publish(out, trained, card, unseen, logits, {"adapters and head": log})


def start(source: Path, pieces: Tensor) -> tuple[BertModel, Tokenizer]:
    """Return encoder and tokenizer over `pieces` int64 [n] of multilingual-e5-small, in folder `source`."""
    return bert.load_encoder(source, pieces), e5.load_tokenizer(source, pieces.tolist())
