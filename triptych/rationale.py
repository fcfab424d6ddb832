"""Why the answer is what it is, in one or two sentences: said from the contributions, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych.fusion import Fused
from triptych_client.contract import EMOTIONS

SUPPORT_SHARE = 0.25
"""A channel is named as a cause when it gives at least this share of what speaks for the emotion."""


@dataclass(frozen=True)
class Phrases:
    """The words of one language. `emotions` and `channels` are in the order of the contract's."""

    emotions: tuple[str, ...]
    channels: tuple[str, ...]
    conjunction: str
    nothing: str
    named: str
    abstained: str
    against: str


ENGLISH = Phrases(
    emotions=EMOTIONS,
    channels=("the face", "the sounds", "the voice", "the words"),
    conjunction=" and ",
    nothing="No channel gave evidence.",
    named="{emotion} ({percent:.0f} %), mostly from {causes}.",
    abstained="No clear emotion: {emotion} is first with {percent:.0f} %, mostly from {causes}.",
    against="{channel} alone would say {emotion} ({percent:.0f} %).",
)
RUSSIAN = Phrases(
    emotions=("гнев", "отвращение", "страх", "радость", "грусть", "удивление", "нейтральность"),
    channels=("лицо", "звуки", "голос", "слова"),
    conjunction=" и ",
    nothing="Ни один канал не дал данных.",
    named="{emotion} ({percent:.0f} %), главным образом: {causes}.",
    abstained="Явной эмоции нет: впереди {emotion} ({percent:.0f} %), главным образом: {causes}.",
    against="Отдельно {channel}: {emotion} ({percent:.0f} %).",
)


def explain(fused: Fused, phrases: Phrases) -> str:
    """Return the sentences: the emotion with its main channels, then the strongest channel that says otherwise."""
    if not fused.weights.any():
        return phrases.nothing
    best = int(fused.probabilities.argmax())
    template = phrases.abstained if fused.abstained else phrases.named
    causes = phrases.conjunction.join(phrases.channels[channel] for channel in _causes(fused, best))
    first = template.format(emotion=phrases.emotions[best], percent=100 * fused.probabilities[best], causes=causes)
    return " ".join([_capital(first), *_opposition(fused, best, phrases)])


def _causes(fused: Fused, emotion: int) -> list[int]:
    """Return the channels that speak for an emotion, strongest first."""
    support = np.maximum(fused.contributions[:, emotion], 0)
    order = np.argsort(-support, kind="stable")
    return [int(c) for c in order if support[c] > 0 and support[c] >= SUPPORT_SHARE * support.sum()]


def _opposition(fused: Fused, emotion: int, phrases: Phrases) -> list[str]:
    """Return a sentence about the channel that speaks most against the emotion, if one does."""
    channel = int(fused.contributions[:, emotion].argmin())
    if fused.contributions[channel, emotion] >= 0:
        return []
    other = int(fused.channel_probabilities[channel].argmax())
    percent = 100 * fused.channel_probabilities[channel, other]
    name, label = phrases.channels[channel], phrases.emotions[other]
    return [_capital(phrases.against.format(channel=name, emotion=label, percent=percent))]


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
