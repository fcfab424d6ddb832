"""Windows decoded to the end of their sound, in as many passes as that takes, after openai/whisper (`transcribe.py`).

A pass may end before the sound does: it then closes with a pair of timestamps, or with words after the last pair. The
next pass starts at that pair, as the reference does when it moves its window there.

A decoder that loops says the same again and again, whatever is said. The reference decodes such a window anew, at
random. Here the same clip gets the same answer: the window is halved at its quietest, and each half decoded by itself,
so that what is said often is heard as often as it is said, when it is said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from triptych.sound.mel import HOP_LENGTH
from triptych.words.whisper.decoding import MAX_NEW_TOKENS, Decoding, DecodingOptions
from triptych.words.whisper.rules import Rules
from triptych_client.contract import SAMPLE_RATE_HZ

NO_SPEECH_PROBABILITY = 0.25
SPEECH_LOGPROB = -0.8
"""A pass is silent when its no-speech probability is above the first and its average log-probability not above the
second. The reference (`no_speech_threshold` and `logprob_threshold`) has 0.6 and -1.0, for any sound; here a pass is of
sound that was taken for speech. What is none of it, laughter and moans, has 0.31 to 0.65 and -0.96 or less; 113 of 113
recordings of speech have less than 0.2, or more than -0.6."""
LANGUAGE_PROBABILITY = 0.3
"""Beside such a no-speech probability, a language that is less probable, or a loop, is as much a sign as unlikely
words: laughter that a decoder writes down ("ㅋㅋㅋ") is likely by itself."""
WORTH_A_PASS_S = 1.0
"""Sound that is left, and sound that the last pass has covered, for another pass: the reference takes any length, and
hears words in the padding."""
MAX_PASSES = 8
"""Of a window: speech that is not said again and again takes one or two."""
MEL_FRAMES_PER_SECOND = SAMPLE_RATE_HZ // HOP_LENGTH

LOOP_TOKENS_PER_S = 10.0
"""Nobody says so much and repeats it: five words a second are fast, and about 1.3 tokens each in English."""
LOOP_DISTINCT = 1 / 3
"""A text repeats itself when no more of its pairs of tokens are distinct."""
HALVED_S = 3.0
"""A shorter part is not halved: what loops there is kept once."""
QUIET_FRAMES = 30
"""A part is cut in the middle of the quietest 0.3 s, as chunks are (`media/audio.py`)."""
TURN_S = 1.0
"""Where another language begins is known within so many seconds, half of a part and less."""

Decode = Callable[[np.ndarray, Sequence[DecodingOptions]], list[Decoding | None]]


@dataclass(frozen=True)
class Pass:
    """What was decoded of a window from `offset_s` to at most `end_s`, in seconds of its sound.

    `silent`: it is no speech; `looped`: the decoder said the same again and again.
    """

    offset_s: float
    end_s: float
    decoding: Decoding
    silent: bool = False
    looped: bool = False


def decode_in_passes(
    decode: Decode,
    log_mel: np.ndarray,
    sound_s: Sequence[float],
    options: Sequence[DecodingOptions],
    rules: Rules,
    at_once: int,
) -> list[list[Pass]]:
    """Decode log-mels [b, mels, 3000] that hold `sound_s` seconds of sound each; return the passes of each window.

    `decode` takes log-mels and options for each, of `at_once` windows or fewer. A part that it can make nothing of has
    no pass.
    """
    windows = [
        _Window(mel, [_Part(0.0, float(seconds), option)])
        for mel, seconds, option in zip(log_mel, sound_s, options, strict=True)
    ]
    while due := [(window, part) for window in windows for part in window.due][:at_once]:
        mels = np.stack([window.mel_of(part) for window, part in due])
        asked = [replace(part.options, seconds=part.seconds) for _, part in due]
        for (window, part), decoding in zip(due, decode(mels, asked), strict=True):
            window.add(part, decoding, rules)
    return [sorted(window.passes, key=lambda item: item.offset_s) for window in windows]


def is_silent(decoding: Decoding, looped: bool = False) -> bool:
    """Tell whether what was decoded is no speech, by the decoder's own signs."""
    unlikely = decoding.average_logprob <= SPEECH_LOGPROB or decoding.language_probability < LANGUAGE_PROBABILITY
    return decoding.no_speech_probability > NO_SPEECH_PROBABILITY and (unlikely or looped)


def is_loop(decoding: Decoding, seconds: float, rules: Rules) -> bool:
    """Tell whether the decoder said the same again and again, more of it than can be said in so many seconds."""
    words = [token for token in decoding.tokens if not rules.is_timestamp(token)]
    pairs = list(pairwise(words))
    repeats = len(pairs) > 0 and len(set(pairs)) <= LOOP_DISTINCT * len(pairs)
    return repeats and (len(words) > LOOP_TOKENS_PER_S * seconds or len(decoding.tokens) == MAX_NEW_TOKENS)


@dataclass(frozen=True)
class _Part:
    """Seconds of a window's sound that are to be decoded."""

    start_s: float
    end_s: float
    options: DecodingOptions

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


@dataclass
class _Window:
    """One window: the parts of it that are due, and its passes so far."""

    log_mel: np.ndarray
    due: list[_Part]
    passes: list[Pass] = field(default_factory=list)
    begun: int = 0

    def __post_init__(self) -> None:
        self.sound_s = self.due[-1].end_s

    def mel_of(self, part: _Part) -> np.ndarray:
        """Return the log-mel of a part, moved to the front; zeros follow, as in the reference."""
        start = round(part.start_s * MEL_FRAMES_PER_SECOND)
        end = self.log_mel.shape[1] if part.end_s == self.sound_s else round(part.end_s * MEL_FRAMES_PER_SECOND)
        moved = np.zeros_like(self.log_mel)
        moved[:, : end - start] = self.log_mel[:, start:end]
        return moved

    def add(self, part: _Part, decoding: Decoding | None, rules: Rules) -> None:
        """Add what was decoded of a part that was due, and which parts are due after it."""
        self.due.remove(part)
        self.begun += 1
        if decoding is None:
            logging.getLogger(__name__).warning("a window was left out: its logits are not finite")
            return
        if decoding.turns:
            self.due += self._by_language(part, decoding.turns)
            return
        looped = is_loop(decoding, part.seconds, rules)
        options = replace(part.options, language=decoding.language)
        if looped and part.seconds >= HALVED_S and self._may_go_on(2):
            middle_s = self._quietest_s(part.start_s + part.seconds / 4, part.end_s - part.seconds / 4)
            self.due += [_Part(part.start_s, middle_s, options), _Part(middle_s, part.end_s, options)]
            return
        silent, finished = is_silent(decoding, looped), _finished(decoding.tokens, rules)
        end_s = part.end_s
        if finished and not silent and not looped and self._may_go_on(1):
            covered_s = rules.seconds(decoding.tokens[finished - 2])
            if min(covered_s, part.seconds - covered_s) >= WORTH_A_PASS_S:
                end_s = part.start_s + covered_s
                self.due.append(_Part(end_s, part.end_s, options))
                decoding = replace(decoding, tokens=decoding.tokens[:finished], logprobs=decoding.logprobs[:finished])
        self.passes.append(Pass(part.start_s, end_s, decoding, silent, looped))

    def _may_go_on(self, further: int) -> bool:
        return self.begun + len(self.due) + further <= MAX_PASSES

    def _by_language(self, part: _Part, turns: Sequence[tuple[float, str]]) -> list[_Part]:
        """Cut a part into those of one language each, in the pause nearest to where another begins."""
        around = [(part.start_s + at_s - TURN_S, part.start_s + at_s + TURN_S) for at_s, _ in turns[1:]]
        bounds = [part.start_s, *(self._quietest_s(*span) for span in around), part.end_s]
        return [
            _Part(start_s, end_s, replace(part.options, language=language))
            for (start_s, end_s), (_, language) in zip(pairwise(bounds), turns)
        ]

    def _quietest_s(self, start_s: float, end_s: float) -> float:
        """Return the middle of the quietest moment in a span of the window."""
        first, last = (round(time_s * MEL_FRAMES_PER_SECOND) for time_s in (start_s, end_s))
        loudness = np.convolve(self.log_mel[:, first:last].mean(axis=0), np.ones(QUIET_FRAMES), "valid")
        return (first + int(loudness.argmin()) + QUIET_FRAMES // 2) / MEL_FRAMES_PER_SECOND


def _finished(tokens: Sequence[int], rules: Rules) -> int:
    """Return how many tokens there are up to the last pair of timestamps; 0 where the pass is complete in itself.

    It is complete when one timestamp alone ends it, or when it has no pair of timestamps.
    """
    stamps = [rules.is_timestamp(token) for token in tokens]
    if stamps[-2:] == [False, True]:
        return 0
    return max((place + 2 for place, pair in enumerate(pairwise(stamps)) if all(pair)), default=0)
