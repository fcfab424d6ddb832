"""Which words the words channel looked at: the attention weights of the served model, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Encoding, Tokenizer

from triptych.errors import TriptychError
from triptych.paths import MODEL_REPOSITORY
from triptych.words import text
from triptych_client import contract

STEP = contract.STEPS["text_emotion"]
PREFIX_WORDS = len(text.PREFIX.split())


@dataclass(frozen=True)
class AttendedWord:
    """A word as written, with what stands at it, and its share of the utterance's embedding, from 0 to 1."""

    text: str
    weight: float


@dataclass(frozen=True)
class Attended:
    """Words of an utterance in order, and probabilities f32 [7] over EMOTIONS. `rest`: the end mark's share.

    The weights and `rest` sum to 1.
    """

    words: tuple[AttendedWord, ...]
    rest: float
    probabilities: np.ndarray


def attend(texts: Sequence[str], repository: Path = MODEL_REPOSITORY) -> list[Attended]:
    """Return the attention of the exported words model to each of `texts`, by itself and without a server.

    A high weight says where the model looked, not why (Jain and Wallace 2019). TriptychError when no model is
    exported, or one without attention weights.
    """
    tokenizer, session = _open(repository)
    ids, mask = text.tokenize(tokenizer, texts)
    names = [tensor.name for tensor in (*STEP.outputs[:1], *STEP.optional)]
    feeds = dict(zip((tensor.name for tensor in STEP.inputs), (ids, mask)))
    logits, attention = (np.asarray(output) for output in session.run(names, feeds))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = raised / raised.sum(axis=1, keepdims=True)
    encodings = tokenizer.encode_batch([text.PREFIX + one for one in texts])
    return [
        _attended(one, encoding, weights, row)
        for one, encoding, weights, row in zip(texts, encodings, attention, probabilities)
    ]


def _open(repository: Path) -> tuple[Tokenizer, onnxruntime.InferenceSession]:
    tokens, model = repository / "text_tokens/1/tokenizer.json", repository / STEP.name / "1/model.onnx"
    if not (tokens.is_file() and model.is_file()):
        raise TriptychError(f"there is no words model in {repository}: run `triptych export --set words=bilstm`")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    if {tensor.name for tensor in STEP.optional} - {output.name for output in session.get_outputs()}:
        raise TriptychError("the exported words model has no attention weights: `triptych export --set words=bilstm`")
    return Tokenizer.from_file(str(tokens)), session


def _attended(utterance: str, encoding: Encoding, weights: np.ndarray, probabilities: np.ndarray) -> Attended:
    tokens = zip(encoding.word_ids, encoding.offsets, weights.tolist())
    spoken = [token for token in tokens if token[0] is not None and token[0] >= PREFIX_WORDS]
    words = tuple(
        _word(utterance, [token[1:] for token in group]) for _, group in groupby(spoken, lambda token: token[0])
    )
    return Attended(words, float(weights.sum()) - sum(word.weight for word in words), probabilities)


def _word(utterance: str, tokens: list[tuple[tuple[int, int], float]]) -> AttendedWord:
    """Join the tokens of a word: their spans in PREFIX + utterance, and their weights."""
    start, end = min(span[0] for span, _ in tokens), max(span[1] for span, _ in tokens)
    whole = text.PREFIX + utterance
    return AttendedWord(whole[start:end].strip(), sum(weight for _, weight in tokens))
