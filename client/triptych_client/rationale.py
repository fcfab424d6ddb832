"""Why the answer is what it is, in one or two sentences: written from the parts that the server names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from triptych_client.labels import Labels

if TYPE_CHECKING:
    from triptych_client.results import Emotion, RationalePart

MAX_QUOTE = 60
"""Longer utterances are quoted up to so many characters."""


def explain(emotion: Emotion, parts: Sequence[RationalePart], labels: Labels) -> str:
    """Return the sentences on an answer with evidence: the emotion with its main causes, then what is against it."""
    phrases = labels.rationale
    causes = [named(part, labels) for part in parts if part.kind == "cause"]
    template = phrases.abstained if emotion.abstained else phrases.named
    first = (template if causes else phrases.unexplained).format(
        emotion=labels.emotion(emotion.label).lower(),
        percent=100 * emotion.confidence,
        causes=phrases.conjunction.join(causes),
    )
    opposed = [_opposition(part, labels) for part in parts if part.kind == "against"]
    return " ".join(_capital(sentence) for sentence in (first, *opposed))


def named(part: RationalePart, labels: Labels) -> str:
    """Return a part as a sentence names it: what, and when."""
    phrases = labels.rationale
    template = (phrases.quoted if part.what else phrases.unquoted)[part.channel]
    what = labels.tag(part.what).lower() if part.channel == "sound" else shortened(part.what)
    start, end = (f"{time:.1f}".replace(".", phrases.decimal) for time in (part.start_s, part.end_s))
    when = (phrases.stretch if end != start else phrases.moment).format(start=start, end=end)
    return template.format(what=what, when=when)


def shortened(text: str) -> str:
    """Return a text of one line, cut behind a word when it is longer than MAX_QUOTE."""
    line = " ".join(text.split()).rstrip(".")
    if len(line) <= MAX_QUOTE:
        return line
    head, _, _ = line[:MAX_QUOTE].rpartition(" ")
    return (head or line[: MAX_QUOTE - 1]) + "…"


def _opposition(part: RationalePart, labels: Labels) -> str:
    phrases = labels.rationale
    template = phrases.against_many if part.channel == "words" else phrases.against
    return template.format(part=named(part, labels), emotion=labels.emotion(part.emotion).lower())


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
