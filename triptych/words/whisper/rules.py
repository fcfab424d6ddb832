"""What Whisper may say next: the rules of the reference's greedy decoding with timestamps.

After openai/whisper, `decoding.py`: `SuppressBlank`, `SuppressTokens`, `ApplyTimestampRules`, `GreedyDecoder`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Rules:
    """The special tokens of a vocabulary, and which tokens are never said. Read from generation.json."""

    start_of_transcript: int
    end_of_text: int
    no_speech: int
    no_timestamps: int
    timestamp_begin: int
    """The token of 0.00 s; those of later times follow it, one every `timestamp_step_s`."""
    timestamp_step_s: float
    max_initial_timestamp: int
    """How many steps after 0.00 s the first timestamp may be."""
    multilingual: bool
    """An English-only model is told neither a language nor a task."""
    languages: Mapping[str, int]
    tasks: Mapping[str, int]
    suppress: list[int]
    suppress_at_begin: list[int]

    @classmethod
    def read(cls, path: Path) -> Rules:
        """Read generation.json, as `networks.whisper.loaded` writes it."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def is_timestamp(self, token: int) -> bool:
        """Tell a timestamp from text."""
        return token >= self.timestamp_begin

    def seconds(self, timestamp: int) -> float:
        """Return the time that a timestamp token stands for, in seconds from the start of the window."""
        return (timestamp - self.timestamp_begin) * self.timestamp_step_s


def constrain(logits: np.ndarray, tokens: Sequence[int], rules: Rules) -> None:
    """Set to -inf, in place, the logits [vocabulary] of what may not follow `tokens` (those after the prompt)."""
    logits[rules.suppress] = -np.inf
    logits[rules.no_timestamps] = -np.inf
    if tokens:
        _pair_timestamps(logits, tokens, rules)
    else:
        _begin(logits, rules)
    text, timestamps = logits[: rules.timestamp_begin], logits[rules.timestamp_begin :]
    if log_sum_exp(timestamps) > text.max():
        text[:] = -np.inf


def choose(logits: np.ndarray) -> tuple[int, float]:
    """Return the likeliest token of logits [vocabulary], and its log-probability."""
    token = int(logits.argmax())
    return token, float(logits[token] - log_sum_exp(logits))


def log_sum_exp(logits: np.ndarray) -> float:
    """Return log(sum(exp(logits))); -inf when all are -inf."""
    # Not scipy's: it takes 0.9 ms for a vocabulary, this 0.1 ms, and every decoded token waits for it.
    top = logits.max()
    return float(top + np.log(np.exp(logits - top).sum())) if top > -np.inf else -np.inf


def _begin(logits: np.ndarray, rules: Rules) -> None:
    """Begin with a timestamp, of at most 1 s."""
    logits[rules.suppress_at_begin] = -np.inf
    logits[: rules.timestamp_begin] = -np.inf
    logits[rules.timestamp_begin + rules.max_initial_timestamp + 1 :] = -np.inf


def _pair_timestamps(logits: np.ndarray, tokens: Sequence[int], rules: Rules) -> None:
    """Let timestamps come in pairs, but for the last one, and never go back."""
    after_timestamp = rules.is_timestamp(tokens[-1])
    after_pair = after_timestamp and (len(tokens) < 2 or rules.is_timestamp(tokens[-2]))
    if after_pair:
        logits[rules.timestamp_begin :] = -np.inf
    elif after_timestamp:
        logits[: rules.end_of_text] = -np.inf
    last = next(filter(rules.is_timestamp, reversed(tokens)), rules.timestamp_begin - 1)
    earliest = last if after_timestamp and not after_pair else last + 1  # a segment is not empty
    logits[rules.timestamp_begin : earliest] = -np.inf
