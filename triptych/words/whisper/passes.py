"""Windows decoded to the end of their sound, in as many passes as that takes, after openai/whisper (`transcribe.py`).

A pass may end before the sound does: it then closes with a pair of timestamps, or with words after the last pair. The
next pass starts at that pair, as the reference does when it moves its window there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from triptych.sound.mel import HOP_LENGTH
from triptych.words.whisper.decoding import Decoding, DecodingOptions
from triptych.words.whisper.rules import Rules
from triptych_client.contract import SAMPLE_RATE_HZ

NO_SPEECH_PROBABILITY = 0.6
SPEECH_LOGPROB = -1.0
"""A pass is silent when its no-speech probability is above the first and its average log-probability not above the
second: `no_speech_threshold` and `logprob_threshold` of the reference."""
WORTH_A_PASS_S = 1.0
"""Sound that is left, and sound that the last pass has covered, for another pass: the reference takes any length, and
hears words in the padding."""
MAX_PASSES = 4
MEL_FRAMES_PER_SECOND = SAMPLE_RATE_HZ // HOP_LENGTH

Decode = Callable[[np.ndarray, Sequence[DecodingOptions]], list[Decoding | None]]


@dataclass(frozen=True)
class Pass:
    """What was decoded of a window from `offset_s` seconds on; `silent`: the reference would skip it."""

    offset_s: float
    decoding: Decoding
    silent: bool


def decode_in_passes(
    decode: Decode, log_mel: np.ndarray, sound_s: Sequence[float], options: Sequence[DecodingOptions], rules: Rules
) -> list[list[Pass]]:
    """Decode log-mels [b, 80, 3000] that hold `sound_s` seconds of sound each; return the passes of each window.

    `decode` takes log-mels and options for each. A window that it can make nothing of has no passes from there on.
    """
    windows = [_Window(*window) for window in zip(log_mel, sound_s, options, strict=True)]
    while running := [window for window in windows if window.next_s is not None]:
        mels = np.stack([window.remaining_mel() for window in running])
        for window, decoding in zip(running, decode(mels, [window.options for window in running]), strict=True):
            window.add(decoding, rules)
    return [window.passes for window in windows]


def is_silent(decoding: Decoding) -> bool:
    """Tell whether the reference would skip what was decoded."""
    return decoding.no_speech_probability > NO_SPEECH_PROBABILITY and decoding.average_logprob <= SPEECH_LOGPROB


@dataclass
class _Window:
    """One window and its passes so far; the next starts at `next_s`, None: there is no next one."""

    log_mel: np.ndarray
    sound_s: float
    options: DecodingOptions
    next_s: float | None = 0.0
    passes: list[Pass] = field(default_factory=list)

    def remaining_mel(self) -> np.ndarray:
        """Return the log-mel from the next pass on, moved to the front; zeros follow, as in the reference."""
        start = round((self.next_s or 0.0) * MEL_FRAMES_PER_SECOND)
        moved = np.zeros_like(self.log_mel)
        moved[:, : moved.shape[1] - start] = self.log_mel[:, start:]
        return moved

    def add(self, decoding: Decoding | None, rules: Rules) -> None:
        """Add a pass, and whether there is to be another."""
        offset_s, self.next_s = self.next_s or 0.0, None
        if decoding is None:
            logging.getLogger(__name__).warning("a window was left out: its logits are not finite")
            return
        silent, finished = is_silent(decoding), _finished(decoding.tokens, rules)
        if finished and not silent and len(self.passes) + 1 < MAX_PASSES:
            covered_s = rules.seconds(decoding.tokens[finished - 2])
            if min(covered_s, self.sound_s - offset_s - covered_s) >= WORTH_A_PASS_S:
                self.next_s = offset_s + covered_s
                self.options = replace(self.options, language=decoding.language)
                decoding = replace(decoding, tokens=decoding.tokens[:finished], logprobs=decoding.logprobs[:finished])
        self.passes.append(Pass(offset_s, decoding, silent))


def _finished(tokens: Sequence[int], rules: Rules) -> int:
    """Return how many tokens there are up to the last pair of timestamps; 0 where the pass is complete in itself.

    It is complete when one timestamp alone ends it, or when it has no pair of timestamps.
    """
    stamps = [rules.is_timestamp(token) for token in tokens]
    if stamps[-2:] == [False, True]:
        return 0
    return max((place + 2 for place, pair in enumerate(pairwise(stamps)) if all(pair)), default=0)
