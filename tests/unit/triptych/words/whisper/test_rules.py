"""The rules of decoding against the logits processors of transformers, on a small vocabulary."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig
from transformers.generation.logits_process import (
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    WhisperTimeStampLogitsProcessor,
)

from triptych.words.whisper.rules import Rules, choose, constrain, log_sum_exp

RULES = Rules(
    start_of_transcript=21,
    end_of_text=20,
    no_speech=26,
    no_timestamps=27,
    timestamp_begin=28,
    timestamp_step_s=0.02,
    max_initial_timestamp=5,
    multilingual=True,
    languages={"en": 22, "ru": 23},
    tasks={"transcribe": 24, "translate": 25},
    suppress=[3, 7, 21, 24, 25, 26],
    suppress_at_begin=[0, 20],
)
VOCABULARY = 60
TEXT = st.sampled_from([token for token in range(20) if token not in RULES.suppress])
TIMESTAMPS = st.integers(RULES.timestamp_begin, VOCABULARY - 1)


def reference(logits: np.ndarray, tokens: list[int]) -> np.ndarray:
    """What transformers makes of the logits, in the order of its `generate`."""
    config = GenerationConfig(
        eos_token_id=RULES.end_of_text,
        no_timestamps_token_id=RULES.no_timestamps,
        max_initial_timestamp_index=RULES.max_initial_timestamp,
    )
    scores, ids = torch.from_numpy(logits[None].copy()), torch.tensor([tokens], dtype=torch.int64)
    for processor in (
        SuppressTokensAtBeginLogitsProcessor(RULES.suppress_at_begin, begin_index=0),
        SuppressTokensLogitsProcessor(RULES.suppress),
        WhisperTimeStampLogitsProcessor(config, begin_index=0),
    ):
        scores = processor(ids, scores)
    return scores[0].numpy()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(TEXT, TIMESTAMPS), max_size=8), st.integers(0, 2**32 - 1))
def test_rules_are_those_of_transformers(tokens, seed):
    logits = 3 * np.random.default_rng(seed).standard_normal(VOCABULARY).astype(np.float32)
    expected = reference(logits, tokens)
    constrain(logits, tokens, RULES)
    np.testing.assert_array_equal(logits, expected)


def test_a_transcript_begins_with_an_early_timestamp():
    logits = np.zeros(VOCABULARY, np.float32)
    constrain(logits, [], RULES)
    assert np.flatnonzero(np.isfinite(logits)).tolist() == [28, 29, 30, 31, 32, 33]


def test_after_a_closing_timestamp_comes_another_or_the_end():
    logits = np.zeros(VOCABULARY, np.float32)
    logits[RULES.end_of_text] = 100
    constrain(logits, [28, 1, 40], RULES)
    allowed = np.flatnonzero(np.isfinite(logits))
    assert allowed.min() == RULES.end_of_text
    assert not set(allowed) & set(range(28, 40))


def test_log_probability_of_the_choice():
    logits = np.log(np.array([0.2, 0.5, 0.3], np.float32))
    token, logprob = choose(logits)
    assert token == 1
    assert math.exp(logprob) == pytest.approx(0.5, abs=1e-6)


def test_nothing_is_possible():
    assert log_sum_exp(np.full(3, -np.inf, np.float32)) == -math.inf


def test_timestamps_are_seconds():
    assert not RULES.is_timestamp(27)
    assert RULES.seconds(28) == 0
    assert RULES.seconds(78) == pytest.approx(1.0)
