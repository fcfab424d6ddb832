"""Greedy decoding of several windows at once, after openai/whisper (`decoding.py`): one task and language for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import softmax

from triptych.words.whisper import languages
from triptych.words.whisper.model import FRAMES_PER_SECOND, DecoderState, Model
from triptych.words.whisper.rules import Rules, choose, constrain

MAX_NEW_TOKENS = 224
"""Half of the decoder's 448 positions: `sample_len` of the reference."""


@dataclass(frozen=True)
class DecodingOptions:
    """What is asked for: a task of the rules, and one of their languages; None: the likeliest one.

    Windows of one `clip`, a number, are told their language together; None: by themselves. `seconds` are those of sound
    in the window.
    """

    task: str = "transcribe"
    language: str | None = None
    clip: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Decoding:
    """What was decoded of one window. `logprobs` are those of `tokens`, then that of the end unless it was cut off.

    `turns`: it was not decoded, since more than one language is spoken in it: from when on, in seconds, which.
    """

    language: str
    language_probability: float
    no_speech_probability: float
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    turns: tuple[tuple[float, str], ...] = ()

    @property
    def average_logprob(self) -> float:
        """Mean log-probability as the reference defines it, with the end of the text as one more token."""
        return sum(self.logprobs) / (len(self.tokens) + 1)


def decode(
    model: Model, log_mel: np.ndarray, options: Sequence[DecodingOptions], rules: Rules
) -> list[Decoding | None]:
    """Decode float32 log-mels [b, mels, 3000], with options for each; None for a window whose logits are not finite.

    All windows go through the decoder together; those that have ended leave it.
    """
    hypotheses = [_Hypothesis(each, rules) for each in options]
    state = model.encode(log_mel, max(each.seconds for each in options))
    first = state.step(np.full((len(options), 1), rules.start_of_transcript))
    for hypothesis, logits in zip(hypotheses, first, strict=True):
        hypothesis.begin(logits)
    for row, hypothesis in enumerate(hypotheses):
        hypothesis.look_for_turns(state, row)
    _settle_languages(hypotheses)
    if not rules.multilingual:
        _go_on(hypotheses, first)
    running = _running(hypotheses, state)
    while running:
        next_ids = np.array([hypothesis.next_ids for hypothesis in running])
        for hypothesis, logits in zip(running, state.step(next_ids), strict=True):
            hypothesis.advance(logits)
        running = _running(running, state)
    return [hypothesis.result() for hypothesis in hypotheses]


def _go_on(hypotheses: Sequence[_Hypothesis], logits: np.ndarray) -> None:
    """Take the first token from the logits after the start: no language and no task stand between."""
    for hypothesis, row in zip(hypotheses, logits, strict=True):
        if not hypothesis.ended:
            hypothesis.advance(row)


def _settle_languages(hypotheses: Sequence[_Hypothesis]) -> None:
    """Tell the windows of each clip their language, where none was asked for."""
    clips: dict[object, list[_Hypothesis]] = {}
    for number, one in enumerate(hypotheses):
        if not one.ended and one.options.language is None:
            clips.setdefault((number,) if one.options.clip is None else one.options.clip, []).append(one)
    for windows in clips.values():
        probabilities = np.stack([one.spoken for one in windows])
        seconds = [one.options.seconds for one in windows]
        for one, place in zip(windows, languages.of_windows(probabilities, seconds)):
            one.speak(list(one.rules.languages)[place])


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
    spoken: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """The probability of each language of the rules."""
    language: str = ""
    language_probability: float = math.nan
    no_speech_probability: float = math.nan
    turns: tuple[tuple[float, str], ...] = ()
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False
    failed: bool = False

    def begin(self, logits: np.ndarray) -> None:
        """Take the languages and whether there is speech from the logits after the start of the transcript."""
        if self._unusable(logits):
            return
        self.spoken = softmax(logits[list(self.rules.languages.values())])
        self.no_speech_probability = float(softmax(logits)[self.rules.no_speech])
        if self.options.language:
            self.speak(self.options.language)

    def speak(self, language: str) -> None:
        """Go on in a language of the rules."""
        self.language = language
        self.language_probability = float(self.spoken[list(self.rules.languages).index(language)])
        self.next_ids = self.rules.languages[language], self.rules.tasks[self.options.task]

    def look_for_turns(self, state: DecoderState, row: int) -> None:
        """End where more than one language is spoken in the window, a `row` of the state, and none was asked for.

        Each part is told its language by what the decoder reads of its encoder frames alone: one step for all of them.
        """
        starts = languages.part_starts(self.options.seconds)
        if self.ended or self.options.language or len(starts) < 2:
            return
        frames = np.round(starts * FRAMES_PER_SECOND).astype(int)
        parts = state.parts(row, frames, round(languages.PART_S * FRAMES_PER_SECOND))
        logits = parts.step(np.full((len(starts), 1), self.rules.start_of_transcript))
        probabilities = softmax(logits[:, list(self.rules.languages.values())], axis=1)
        names = list(self.rules.languages)
        self.turns = tuple((at_s, names[place]) for at_s, place in languages.turns(starts, probabilities))
        self.ended = bool(self.turns)

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
            self.turns,
        )

    def _unusable(self, logits: np.ndarray) -> bool:
        self.failed = not np.isfinite(logits.max())  # NaN anywhere makes the maximum NaN
        self.ended = self.failed
        return self.failed
