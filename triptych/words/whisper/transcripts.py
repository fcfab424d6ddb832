"""From decoded tokens to utterances, with their times; silence and repetition; the tensors of the contract."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tokenizers import Tokenizer

from triptych.words.whisper.decoding import Decoding
from triptych.words.whisper.passes import Pass
from triptych.words.whisper.rules import Rules

MAX_COMPRESSION_RATIO = 2.4
"""A text that zlib makes smaller by more than this repeats itself: `compression_ratio_threshold` of openai/whisper,
`transcribe.py`."""

_REPEATED = re.compile(r"(.{2,100}?)\1{2,}", re.DOTALL)
"""Something said at least three times in a row."""


@dataclass(frozen=True)
class Utterance:
    """Words between two timestamps. Times in seconds of the clip; `logprob` is the mean of its text tokens."""

    start_s: float
    end_s: float
    text: str
    logprob: float


@dataclass(frozen=True)
class Transcript:
    """What was said in one window. Without sound: no tokens, NaN; without speech: no utterances, no language."""

    utterances: tuple[Utterance, ...] = ()
    language: str = ""
    language_probability: float = math.nan
    no_speech_probability: float = math.nan
    tokens: tuple[int, ...] = ()


def transcript(passes: Sequence[Pass], span: np.ndarray, rules: Rules, tokenizer: Tokenizer) -> Transcript:
    """Return what was said in a window whose sound lies at `span`, [2] seconds of the clip; one pass at least."""
    utterances = [utterance for item in passes for utterance in _utterances(item, span, rules, tokenizer)]
    if compression_ratio(" ".join(utterance.text for utterance in utterances)) > MAX_COMPRESSION_RATIO:
        utterances = without_repeats(utterances)
    first = passes[0].decoding
    return Transcript(
        tuple(utterances),
        first.language if utterances else "",
        first.language_probability,
        first.no_speech_probability,
        tuple(token for item in passes for token in item.decoding.tokens),
    )


def compression_ratio(text: str) -> float:
    """Return how many times smaller zlib makes a text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def without_repeats(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Keep one of what a looping decoder said again and again.

    The reference decodes such a window anew, at random. Here the same clip gets the same answer: what is said three
    times or more in a row within an utterance is kept once, and an utterance like the one before it is dropped.
    """
    kept: list[Utterance] = []
    for utterance in utterances:
        text = _REPEATED.sub(r"\1", utterance.text).strip()
        if not kept or kept[-1].text != text:
            kept.append(replace(utterance, text=text))
    return kept


def _utterances(item: Pass, span: np.ndarray, rules: Rules, tokenizer: Tokenizer) -> list[Utterance]:
    if item.silent:
        return []
    start_s, end_s = float(span[0]) + item.offset_s, float(span[1])
    found = []
    for segment in _segments(item.decoding, rules):
        text = tokenizer.decode(segment.tokens).strip()
        first = start_s + rules.seconds(segment.start)
        last = end_s if segment.end is None else min(start_s + rules.seconds(segment.end), end_s)
        if text and first < end_s:  # what begins after the sound was read into its padding
            found.append(Utterance(first, last, text, float(np.mean(segment.logprobs))))
    return found


@dataclass(frozen=True)
class _Segment:
    """Text tokens after a timestamp; `end` is the timestamp that closes it, None where the text ends without one."""

    start: int
    end: int | None
    tokens: list[int]
    logprobs: list[float]


def _segments(decoding: Decoding, rules: Rules) -> list[_Segment]:
    segments = []
    start, tokens, logprobs = rules.timestamp_begin, [], []
    for token, logprob in zip(decoding.tokens, decoding.logprobs, strict=False):
        if not rules.is_timestamp(token):
            tokens.append(token)
            logprobs.append(logprob)
            continue
        if tokens:
            segments.append(_Segment(start, token, tokens, logprobs))
        start, tokens, logprobs = token, [], []
    if tokens:
        segments.append(_Segment(start, None, tokens, logprobs))
    return segments


def tensors(transcripts: Sequence[Transcript]) -> dict[str, np.ndarray]:
    """Return the outputs of the step `whisper` for the windows of one request, padded to the longest of them."""
    count = len(transcripts)
    most = max([1, *(len(item.utterances) for item in transcripts)])
    longest = max([1, *(len(item.tokens) for item in transcripts)])
    texts = np.full((count, most), b"", dtype=object)
    spans = np.full((count, most, 2), np.nan, np.float32)
    logprobs = np.full((count, most), np.nan, np.float32)
    tokens = np.full((count, longest), -1, np.int32)
    for row, item in enumerate(transcripts):
        tokens[row, : len(item.tokens)] = item.tokens
        for place, utterance in enumerate(item.utterances):
            texts[row, place] = utterance.text.encode()
            spans[row, place] = utterance.start_s, utterance.end_s
            logprobs[row, place] = utterance.logprob
    return {
        "UTTERANCES": texts,
        "UTTERANCE_SPANS": spans,
        "UTTERANCE_LOGPROBS": logprobs,
        "LANGUAGES": np.array([[item.language.encode()] for item in transcripts], dtype=object),
        "LANGUAGE_PROBS": np.array([[item.language_probability] for item in transcripts], np.float32),
        "NO_SPEECH_PROBS": np.array([[item.no_speech_probability] for item in transcripts], np.float32),
        "TOKENS": tokens,
    }
