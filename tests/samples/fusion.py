"""Evidence by hand and at random, and parameters that are not symmetric, for the tests of fusion."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from triptych.answer.evidence import ABSENT, ChannelInput, Evidence
from triptych.answer.parameters import FEATURES, Parameters
from triptych.answer.status import OK, Status
from triptych_client.contract import CHANNELS, EMOTIONS

HAPPY, SAD = EMOTIONS.index("happiness"), EMOTIONS.index("sadness")
POOL = Parameters.opinion_pool()


def trained(seed: int = 0) -> Parameters:
    """Return a regression with random weights around the identity, and a bias."""
    random = np.random.default_rng(seed)
    weights = 0.1 * random.normal(size=(len(CHANNELS), len(EMOTIONS), FEATURES))
    weights[:, :, : len(EMOTIONS)] += 0.7 * np.eye(len(EMOTIONS))
    return Parameters(weights, random.normal(size=len(EMOTIONS)))


def channel(logits: object, spans: object = None, reliability: object = None) -> Evidence:
    """Return a channel with rows of equal weight; without spans they are all in the first second."""
    rows = np.array(logits, np.float32)
    times = np.array([[0, 1]] * len(rows) if spans is None else spans, np.float32)
    ones = np.ones(len(rows))
    sure = ones if reliability is None else np.array(reliability)
    return ChannelInput("face", OK).gather(times, rows, ones, sure, Status("absent"))


def towards(emotion: int, strength: float = 3.0) -> list[float]:
    """Return logits that favour an emotion."""
    return [strength * (index == emotion) for index in range(len(EMOTIONS))]


def says(emotion: int, strength: float = 3.0) -> Evidence:
    """Return a channel of one row that favours an emotion."""
    return channel([towards(emotion, strength)])


def clip(**channels: Evidence) -> dict[str, Evidence]:
    """Return the evidence of a clip; channels that are not given are absent."""
    return {name: channels.get(name, ABSENT) for name in CHANNELS}


def random_clip(seed: int) -> dict[str, Evidence]:
    """Return a clip of up to four channels, each of one to five rows within eleven seconds; some rows are moments."""
    random = np.random.default_rng(seed)
    return clip(**{name: random_channel(random) for name in CHANNELS if random.random() < 0.6})


def random_channel(random: np.random.Generator) -> Evidence:
    """Return a channel whose logits are small or large, and whose rows may overlap."""
    count = random.integers(1, 6)
    starts = random.uniform(0, 8, count)
    spans = np.stack([starts, starts + random.choice([0.0, 0.5, 3.0], count)], axis=1)
    logits = random.choice([0.0, 1.0, 10.0]) * random.normal(size=(count, len(EMOTIONS)))
    return channel(logits, spans, random.uniform(0, 1, count))


relaxed = settings(max_examples=50, deadline=None)
"""A machine that also trains is slow now and then."""

clips = st.integers(0, 2**32 - 1).map(random_clip)
parameters = st.one_of(st.just(POOL), st.integers(0, 9).map(trained))
