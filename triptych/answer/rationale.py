"""Why the answer is what it is, in one or two sentences: said from the contributions and their evidence only.

A channel is named as a cause with the piece of its evidence that counts most: an utterance, a sound, a stretch of the
voice or of the face. Each has, by its own numbers, the sign that the sentence states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from triptych.answer.evidence import Evidence
from triptych.answer.fusion import Fused, row_contributions
from triptych_client.contract import CHANNELS, EMOTIONS
from triptych_client.labels import RUSSIAN as RUSSIAN_LABELS

SUPPORT_SHARE = 0.25
"""A channel is named as a cause when it gives at least this share of what speaks for the emotion."""
FACE_STRETCH_S = 2.0
"""Faces are named by the stretch of this length that counts most."""
MIN_TAG = 0.1
"""A sound is named when the tagger gives it at least this probability in the window that counts."""
MAX_QUOTE = 60
"""Longer utterances are quoted up to so many characters."""


@dataclass(frozen=True)
class Heard:
    """What can be quoted: texts of the utterances [u]; tag probabilities [p, classes] and the classes' names."""

    texts: list[str]
    tags: np.ndarray
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Cause:
    """A piece of a channel's evidence that speaks for an emotion: when, and the words or the tag ("" for none)."""

    channel: str
    emotion: str
    start_s: float
    end_s: float
    what: str = ""


@dataclass(frozen=True)
class Reasons:
    """The causes of an answer, strongest first, and what speaks most for another emotion, if anything does."""

    causes: tuple[Cause, ...]
    against: Cause | None


def reasons(evidence: Mapping[str, Evidence], fused: Fused, heard: Heard) -> Reasons:
    """Return what speaks for the best emotion, and the strongest voice against it."""
    best = int(fused.probabilities.argmax())
    rows = dict(zip(CHANNELS, row_contributions(evidence, fused.parameters)))
    support = np.array([min(rows[c][:, best].sum(), fused.contributions[i, best]) for i, c in enumerate(CHANNELS)])
    enough = max(SUPPORT_SHARE * support.clip(min=0).sum(), 1e-6)
    named = [CHANNELS[i] for i in np.argsort(-support, kind="stable") if support[i] >= enough]
    causes = [_strongest(channel, best, evidence[channel], rows[channel], heard) for channel in named]
    opponent = int(fused.contributions[:, best].argmin())
    against = None
    if fused.contributions[opponent, best] < 0:
        other = int(fused.contributions[opponent].argmax())
        name = CHANNELS[opponent]
        against = _strongest(name, other, evidence[name], rows[name], heard)
    return Reasons(tuple(cause for cause in causes if cause), against)


def _strongest(channel: str, emotion: int, evidence: Evidence, rows: np.ndarray, heard: Heard) -> Cause | None:
    """Return the piece of a channel's evidence that speaks most for an emotion; None when none does."""
    support = rows[:, emotion]
    together = _stretches(evidence.spans) if channel == "face" else np.eye(len(support), dtype=bool)
    row = int((together @ support).argmax())
    if together[row] @ support <= 0:
        return None
    end_s = evidence.spans[together[row], 1].max()
    what = _what(channel, int(evidence.rows[row]), heard)
    return Cause(channel, EMOTIONS[emotion], float(evidence.spans[row, 0]), float(end_s), what)


def _stretches(spans: np.ndarray) -> np.ndarray:
    """Return for each row [r] which rows [r] begin with it or within FACE_STRETCH_S after: BOOL [r, r]."""
    after = spans[:, 0] - spans[:, :1]
    return (after >= 0) & (after <= FACE_STRETCH_S)


def _what(channel: str, row: int, heard: Heard) -> str:
    """Return the words of an utterance, or the tag that marks a sound window out from the clip's others."""
    if channel == "words":
        return heard.texts[row].strip()
    if channel != "sound" or not len(heard.labels):
        return ""
    window = heard.tags[row]
    distinct = np.where(window >= MIN_TAG, window - 0.5 * np.median(heard.tags, axis=0), -1)
    tag = int(distinct.argmax())
    return heard.labels[tag] if window[tag] >= MIN_TAG else ""


@dataclass(frozen=True)
class Phrases:
    """The words of one language. `emotions` is in the order of the contract's; the rest is by channel."""

    emotions: tuple[str, ...]
    plain: Mapping[str, str]
    quoted: Mapping[str, str]
    tags: Mapping[str, str]
    moment: str
    stretch: str
    decimal: str
    conjunction: str
    nothing: str
    named: str
    abstained: str
    unexplained: str
    against: str
    against_many: str


ENGLISH = Phrases(
    emotions=EMOTIONS,
    plain={
        "face": "the face at {when}",
        "sound": "the sound at {when}",
        "voice": "the voice at {when}",
        "words": "the words at {when}",
    },
    quoted={"sound": "{what} heard at {when}", "words": "the words “{what}” at {when}"},
    tags={},
    moment="{start} s",
    stretch="{start}–{end} s",
    decimal=".",
    conjunction=" and ",
    nothing="No channel gave evidence.",
    named="{emotion} ({percent:.0f} %), mostly from {causes}.",
    abstained="No clear emotion: {emotion} is first with {percent:.0f} %, mostly from {causes}.",
    unexplained="{emotion} ({percent:.0f} %); no piece of evidence stands out.",
    against="{cause} speaks for {emotion}.",
    against_many="{cause} speak for {emotion}.",
)
RUSSIAN = Phrases(
    emotions=("гнев", "отвращение", "страх", "радость", "грусть", "удивление", "нейтральность"),
    plain={
        "face": "лицо ({when})",
        "sound": "звук ({when})",
        "voice": "голос ({when})",
        "words": "слова ({when})",
    },
    quoted={"sound": "звук «{what}» ({when})", "words": "слова «{what}» ({when})"},
    tags=RUSSIAN_LABELS.audio_tags,
    moment="{start} с",
    stretch="{start}–{end} с",
    decimal=",",
    conjunction=" и ",
    nothing="Ни один канал не дал данных.",
    named="{emotion} ({percent:.0f} %), главным образом: {causes}.",
    abstained="Явной эмоции нет: впереди {emotion} ({percent:.0f} %), главным образом: {causes}.",
    unexplained="{emotion} ({percent:.0f} %); ни одно из данных не выделяется.",
    against="{cause} — за эмоцию «{emotion}».",
    against_many="{cause} — за эмоцию «{emotion}».",
)


def explain(fused: Fused, why: Reasons, phrases: Phrases) -> str:
    """Return the sentences: the emotion with its main causes, then what speaks for another."""
    if not fused.present.any():
        return phrases.nothing
    best = int(fused.probabilities.argmax())
    template = phrases.abstained if fused.abstained else phrases.named
    first = (template if why.causes else phrases.unexplained).format(
        emotion=phrases.emotions[best],
        percent=100 * fused.probabilities[best],
        causes=phrases.conjunction.join(say(cause, phrases) for cause in why.causes),
    )
    return " ".join([_capital(first), *([_capital(_opposition(why.against, phrases))] if why.against else [])])


def say(cause: Cause, phrases: Phrases) -> str:
    """Return a cause as the sentence names it: what, and when."""
    template = phrases.quoted if cause.what else phrases.plain
    what = phrases.tags.get(cause.what, cause.what).lower() if cause.channel == "sound" else shortened(cause.what)
    start, end = (f"{time:.1f}".replace(".", phrases.decimal) for time in (cause.start_s, cause.end_s))
    when = (phrases.stretch if end != start else phrases.moment).format(start=start, end=end)
    return template[cause.channel].format(what=what, when=when)


def shortened(text: str) -> str:
    """Return a text of one line, cut behind a word when it is longer than MAX_QUOTE."""
    line = " ".join(text.split()).rstrip(".")
    if len(line) <= MAX_QUOTE:
        return line
    head, _, _ = line[:MAX_QUOTE].rpartition(" ")
    return (head or line[: MAX_QUOTE - 1]) + "…"


def _opposition(cause: Cause, phrases: Phrases) -> str:
    template = phrases.against_many if cause.channel == "words" else phrases.against
    return template.format(cause=say(cause, phrases), emotion=phrases.emotions[EMOTIONS.index(cause.emotion)])


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
