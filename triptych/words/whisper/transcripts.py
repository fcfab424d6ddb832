"""From decoded tokens to segments, with their times in the clip; the tensors of the contract."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from tokenizers import Tokenizer

from triptych.words.whisper.decoding import Decoding
from triptych.words.whisper.passes import Pass
from triptych.words.whisper.pieces import Pieces
from triptych.words.whisper.rules import Rules
from triptych_client import contract

_REPEATED = re.compile(r"(.{2,100}?)\1{2,}", re.DOTALL)
"""Something said at least three times in a row."""


@dataclass(frozen=True)
class Segment:
    """Words between two timestamps. Times in seconds of the clip; `logprob` is the mean of its text tokens.

    `language_probability` is that of the language in the window, or part of a window, that the words are of.
    """

    start_s: float
    end_s: float
    text: str
    logprob: float
    language: str
    language_probability: float


@dataclass(frozen=True)
class WindowTranscript:
    """What was said in one window. Without sound: no tokens, NaN; without speech: no segments.

    `unheard`: its speech could not be recognised, because a step failed.
    """

    segments: tuple[Segment, ...] = ()
    no_speech_probability: float = math.nan
    tokens: tuple[int, ...] = ()
    unheard: bool = False

    @property
    def language(self) -> str:
        """The language of the first words; "" without words."""
        return self.segments[0].language if self.segments else ""


UNHEARD = WindowTranscript(unheard=True)


def transcript(passes: Sequence[Pass], pieces: Pieces, rules: Rules, tokenizer: Tokenizer) -> WindowTranscript:
    """Return what was said in a window whose sound is these pieces of the clip; one pass at least."""
    segments = [segment for item in passes for segment in _segments(item, pieces, rules, tokenizer)]
    return WindowTranscript(
        tuple(segments),
        passes[0].decoding.no_speech_probability,
        tuple(token for item in passes for token in item.decoding.tokens),
    )


def without_repeats(segments: Sequence[Segment]) -> list[Segment]:
    """Keep one of what a looping decoder said again and again.

    What is said three times or more in a row within a segment is kept once, and a segment like the one before it is
    dropped.
    """
    kept: list[Segment] = []
    for segment in segments:
        text = _REPEATED.sub(r"\1", segment.text).strip()
        if not kept or kept[-1].text != text:
            kept.append(replace(segment, text=text))
    return kept


def _segments(item: Pass, pieces: Pieces, rules: Rules, tokenizer: Tokenizer) -> list[Segment]:
    if item.silent:
        return []
    found, decoding = [], item.decoding
    for timed in _timed_tokens(decoding, rules):
        text = tokenizer.decode(timed.tokens).strip()
        first = item.offset_s + rules.seconds(timed.start)
        last = item.end_s if timed.end is None else min(item.offset_s + rules.seconds(timed.end), item.end_s)
        if text and first < item.end_s:  # what begins after the sound was read into its padding
            span, logprob = pieces.span(first, last), float(np.mean(timed.logprobs))
            found.append(Segment(*span, text, logprob, decoding.language, decoding.language_probability))
    return without_repeats(found) if item.looped else found


@dataclass(frozen=True)
class _TimedTokens:
    """Text tokens after a timestamp; `end` is the timestamp that closes it, None where the text ends without one."""

    start: int
    end: int | None
    tokens: list[int]
    logprobs: list[float]


def _timed_tokens(decoding: Decoding, rules: Rules) -> list[_TimedTokens]:
    found = []
    start, tokens, logprobs = rules.timestamp_begin, [], []
    for token, logprob in zip(decoding.tokens, decoding.logprobs, strict=False):
        if not rules.is_timestamp(token):
            tokens.append(token)
            logprobs.append(logprob)
            continue
        if tokens:
            found.append(_TimedTokens(start, token, tokens, logprobs))
        start, tokens, logprobs = token, [], []
    if tokens:
        found.append(_TimedTokens(start, None, tokens, logprobs))
    return found


def tensors(transcripts: Sequence[WindowTranscript]) -> dict[str, np.ndarray]:
    """Return the outputs of the step `whisper` for the windows of one request, padded to the longest of them.

    A segment of Whisper is an utterance of the contract.
    """
    count = len(transcripts)
    most = max([1, *(len(item.segments) for item in transcripts)])
    longest = max([1, *(len(item.tokens) for item in transcripts)])
    texts = np.full((count, most), b"", dtype=object)
    spans = np.full((count, most, 2), np.nan, np.float32)
    logprobs = np.full((count, most), np.nan, np.float32)
    languages, language_probs = np.full((count, most), b"", dtype=object), np.full((count, most), np.nan, np.float32)
    tokens = np.full((count, longest), -1, np.int32)
    for row, item in enumerate(transcripts):
        languages[row, 0] = contract.UNKNOWN_LANGUAGE.encode() if item.unheard else b""
        tokens[row, : len(item.tokens)] = item.tokens
        for place, segment in enumerate(item.segments):
            texts[row, place] = segment.text.encode()
            spans[row, place] = segment.start_s, segment.end_s
            logprobs[row, place] = segment.logprob
            languages[row, place] = segment.language.encode()
            language_probs[row, place] = segment.language_probability
    return {
        "UTTERANCES": texts,
        "UTTERANCE_SPANS": spans,
        "UTTERANCE_LOGPROBS": logprobs,
        "LANGUAGES": languages,
        "LANGUAGE_PROBS": language_probs,
        "NO_SPEECH_PROBS": np.array([[item.no_speech_probability] for item in transcripts], np.float32),
        "TOKENS": tokens,
    }
