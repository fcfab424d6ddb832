"""Exports the English words channel that `triptych train words --model bert` made, and its tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from export import text_tokens, trained_graph
from networks.words import adapters, bert, comparison, e5
from networks.words.adapters import Words
from networks.words.trained import ENCODER, TrainedWords


def build(source: Path, words: Words) -> TrainedWords:
    """Return the float32 model with plain token embeddings, of multilingual-e5-small's folder and what was trained."""
    encoder = bert.load_encoder(source, bert.pieces_of(words))
    words.merge(encoder)
    return TrainedWords(encoder, words.head()).eval()


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write model.onnx; the vocabulary stays in 4 bits, and no adapter touches it."""
    words = adapters.load(sources["bert"] / trained_graph.WEIGHTS)
    model = build(sources[ENCODER], words)
    vocabulary = e5.load_packed_vocabulary(sources[ENCODER]).rows(bert.pieces_of(words).numpy())
    model.encoder.set_input_embeddings(comparison.PackedEmbedding(vocabulary))
    comparison.save_graph(model, target / "model.onnx")


def export_tokens(sources: Mapping[str, Path], target: Path) -> None:
    """Write tokenizer.json over the model's pieces."""
    words = adapters.load(sources["bert"] / trained_graph.WEIGHTS)
    tokenizer = e5.load_tokenizer(sources[ENCODER], bert.pieces_of(words).tolist())
    tokenizer.save(str(target / text_tokens.FILE), pretty=False)
