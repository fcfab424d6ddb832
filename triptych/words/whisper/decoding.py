"""Greedy decoding of several windows at once, after openai/whisper (`decoding.py`): one task and language for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from triptych.words.whisper.model import Model, Windows
from triptych.words.whisper.rules import Rules, choose, constrain, probabilities

MAX_NEW_TOKENS = 224
"""Half of the decoder's 448 positions: `sample_len` of the reference."""


@dataclass(frozen=True)
class Wish:
    """What is asked for: a task of the rules, and a language of theirs; None: the likeliest one."""

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


def decode(model: Model, log_mel: np.ndarray, wishes: Sequence[Wish], rules: Rules) -> list[Decoding | None]:
    """Decode float32 log-mels [b, 80, 3000], a wish for each; None for a window whose logits are not finite.

    All windows go through the decoder together; those that have ended leave it.
    """
    rows = [_Row(wish, rules) for wish in wishes]
    windows = model.encode(log_mel)
    for row, logits in zip(rows, windows.step(_column(rules.start_of_transcript, rows)), strict=True):
        row.hear(logits)
    going = _running(rows, windows)
    while going:
        for row, logits in zip(going, windows.step(np.array([row.coming for row in going])), strict=True):
            row.advance(logits)
        going = _running(going, windows)
    return [row.result() for row in rows]


def _column(token: int, rows: Sequence[object]) -> np.ndarray:
    return np.full((len(rows), 1), token)


def _running(rows: list[_Row], windows: Windows) -> list[_Row]:
    """Return the rows that have not ended, in the order that their windows then have."""
    running = [place for place, row in enumerate(rows) if not row.ended]
    if not running or len(running) == len(rows):
        return [rows[place] for place in running]
    return [rows[place] for place in windows.keep(running)]


@dataclass
class _Row:
    """One window on its way. `coming` are the tokens that the decoder takes next."""

    wish: Wish
    rules: Rules
    coming: tuple[int, ...] = ()
    language: str = ""
    language_probability: float = math.nan
    no_speech_probability: float = math.nan
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False
    failed: bool = False

    def hear(self, logits: np.ndarray) -> None:
        """Take the language and whether there is speech from the logits after the start of the transcript."""
        if self._unusable(logits):
            return
        names, tokens = list(self.rules.languages), list(self.rules.languages.values())
        shares = probabilities(logits[tokens])
        self.language = self.wish.language or names[int(shares.argmax())]
        self.language_probability = float(shares[names.index(self.language)])
        self.no_speech_probability = float(probabilities(logits)[self.rules.no_speech])
        self.coming = self.rules.languages[self.language], self.rules.tasks[self.wish.task]

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
            self.coming = (token,)
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
