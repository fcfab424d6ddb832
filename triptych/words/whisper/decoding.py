"""Greedy decoding of several windows at once, after openai/whisper (`decoding.py`): one task and language for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import softmax

from triptych.words.whisper.model import DecoderState, Model
from triptych.words.whisper.rules import Rules, choose, constrain

MAX_NEW_TOKENS = 224
"""Half of the decoder's 448 positions: `sample_len` of the reference."""


@dataclass(frozen=True)
class DecodingOptions:
    """What is asked for: a task of the rules, and one of their languages; None: the likeliest one."""

    task: str = "transcribe"
    language: str | None = None


@dataclass(frozen=True)
class Decoding:
    """What was decoded of one window. `logprobs` are those of `tokens`, then that of the end unless it was cut off."""

    language: str
    language_probability: float
    no_speech_probability: float
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]

    @property
    def average_logprob(self) -> float:
        """Mean log-probability as the reference defines it, with the end of the text as one more token."""
        return sum(self.logprobs) / (len(self.tokens) + 1)


def decode(
    model: Model, log_mel: np.ndarray, options: Sequence[DecodingOptions], rules: Rules
) -> list[Decoding | None]:
    """Decode float32 log-mels [b, 80, 3000], with options for each; None for a window whose logits are not finite.

    All windows go through the decoder together; those that have ended leave it.
    """
    hypotheses = [_Hypothesis(each, rules) for each in options]
    state = model.encode(log_mel)
    start = np.full((len(options), 1), rules.start_of_transcript)
    for hypothesis, logits in zip(hypotheses, state.step(start), strict=True):
        hypothesis.begin(logits)
    running = _running(hypotheses, state)
    while running:
        next_ids = np.array([hypothesis.next_ids for hypothesis in running])
        for hypothesis, logits in zip(running, state.step(next_ids), strict=True):
            hypothesis.advance(logits)
        running = _running(running, state)
    return [hypothesis.result() for hypothesis in hypotheses]


def _running(hypotheses: list[_Hypothesis], state: DecoderState) -> list[_Hypothesis]:
    """Return the hypotheses that have not ended, in the order that their windows then have in the decoder."""
    rows = [row for row, hypothesis in enumerate(hypotheses) if not hypothesis.ended]
    kept = state.keep(rows) if 0 < len(rows) < len(hypotheses) else rows
    return [hypotheses[row] for row in kept]


@dataclass
class _Hypothesis:
    """What is decoded of one window so far. `next_ids` are the tokens that the decoder takes next."""

    options: DecodingOptions
    rules: Rules
    next_ids: tuple[int, ...] = ()
    language: str = ""
    language_probability: float = math.nan
    no_speech_probability: float = math.nan
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False
    failed: bool = False

    def begin(self, logits: np.ndarray) -> None:
        """Take the language and whether there is speech from the logits after the start of the transcript."""
        if self._unusable(logits):
            return
        names, tokens = list(self.rules.languages), list(self.rules.languages.values())
        probabilities = softmax(logits[tokens])
        self.language = self.options.language or names[int(probabilities.argmax())]
        self.language_probability = float(probabilities[names.index(self.language)])
        self.no_speech_probability = float(softmax(logits)[self.rules.no_speech])
        self.next_ids = self.rules.languages[self.language], self.rules.tasks[self.options.task]

    def advance(self, logits: np.ndarray) -> None:
        """Take the next token from the logits after the last one; they are changed."""
        if self._unusable(logits):
            return
        constrain(logits, self.tokens, self.rules)
        token, logprob = choose(logits)
        self.logprobs.append(logprob)
        if token == self.rules.end_of_text:
            self.ended = True
        else:
            self.tokens.append(token)
            self.next_ids = (token,)
            self.ended = len(self.tokens) == MAX_NEW_TOKENS

    def result(self) -> Decoding | None:
        """Return what was decoded; None if it failed."""
        if self.failed:
            return None
        return Decoding(
            self.language,
            self.language_probability,
            self.no_speech_probability,
            tuple(self.tokens),
            tuple(self.logprobs),
        )

    def _unusable(self, logits: np.ndarray) -> bool:
        self.failed = not np.isfinite(logits.max())  # NaN anywhere makes the maximum NaN
        self.ended = self.failed
        return self.failed
