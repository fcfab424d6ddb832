"""What a film expresses as a whole: the mean of its parts over time, as documented in docs/archive.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from triptych_client.contract import CHANNELS, EMOTIONS
from triptych_client.footage.means import DECIMALS, by_emotion, mean, softmax
from triptych_client.footage.parts import Part
from triptych_client.footage.people import Numbers
from triptych_client.results import Analysis, Channel, Emotion, RationalePart

MOST_CAUSES = 3
STATES = ("ok", "failed", "absent")
"""A channel of the film is as it is in its best part."""
EDGES = frozenset({"seen_in_part"})
"""Reasons that every window has, since its sound begins before its pictures."""

Weighted = Sequence[tuple[Analysis, float, Part]]


def summed(film: Analysis, parts: Sequence[Part], numbers: Numbers) -> Analysis:
    """Return the film's answer with emotion, channels and rationale of the whole."""
    weighted = [(part.analysis, max(part.end_s - part.start_s, 1e-3), part) for part in parts if part.analysis]
    contributions = _contributions(weighted)
    moved = np.abs(contributions).sum(axis=1)
    weights = np.round(moved / max(moved.sum(), 1e-12), DECIMALS)
    channels = {
        name: _channel(name, weighted, contributions[row], float(weights[row])) for row, name in enumerate(CHANNELS)
    }
    probabilities = by_emotion(softmax(contributions.sum(axis=0)))
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    track, track_reason = _main(weighted, numbers)
    emotion = Emotion(
        label=ranked[0][0],
        confidence=ranked[0][1],
        probabilities=probabilities,
        top3=tuple(ranked[:3]),
        abstained=_mostly(weighted, lambda answer: answer.emotion.abstained),
        conflict=_mostly(weighted, lambda answer: answer.emotion.conflict),
        track=track,
        track_reason=track_reason,
    )
    return replace(film, emotion=emotion, channels=channels, rationale_parts=_rationale(weighted, emotion))


def _contributions(weighted: Weighted) -> np.ndarray:
    """Return what each channel adds to the film's logits: [4, 7], the mean over the time that has evidence."""
    total, seconds = np.zeros((len(CHANNELS), len(EMOTIONS))), 0.0
    for answer, length_s, _ in weighted:
        rows = [answer.channels[name].contribution for name in CHANNELS]
        if any(rows):
            total += length_s * np.array([[row[it] for it in EMOTIONS] if row else [0.0] * 7 for row in rows])
            seconds += length_s
    return total / max(seconds, 1e-9)


def _channel(name: str, weighted: Weighted, contribution: np.ndarray, weight: float) -> Channel:
    mine = [(answer.channels[name], length_s) for answer, length_s, _ in weighted]
    status = next(state for state in STATES if any(channel.status == state for channel, _ in mine))
    told = [(channel, length_s) for channel, length_s in mine if channel.status == status]
    reasons: dict[tuple[str, str], float] = {}
    for channel, length_s in told:
        reason = ("", "") if channel.reason_code in EDGES else (channel.reason_code, channel.reason_value)
        reasons[reason] = reasons.get(reason, 0.0) + length_s
    code, value = max(reasons, key=lambda reason: reasons[reason])
    is_ok = status == "ok"
    return Channel(
        status=status,
        reason="" if not code else next(channel.reason for channel, _ in told if channel.reason_code == code),
        weight=weight if is_ok else 0.0,
        probabilities=mean([channel.probabilities for channel, _ in told], [length for _, length in told]),
        contribution=by_emotion(contribution) if is_ok else None,
        reason_code=code,
        reason_value=value,
    )


def _mostly(weighted: Weighted, fact: Callable[[Analysis], bool]) -> bool:
    """Tell whether something is so for more than half of the time."""
    return sum(length_s for answer, length_s, _ in weighted if fact(answer)) * 2 > sum(s for _, s, _ in weighted)


def _main(weighted: Weighted, numbers: Numbers) -> tuple[int | None, str]:
    """Return whom the film is about: who most of its time is, and the reason that most of that time has."""
    seconds: dict[tuple[int, str], float] = {}
    for answer, length_s, part in weighted:
        track = answer.emotion.track
        if track is not None and (part.index, track) in numbers:
            key = numbers[part.index, track], answer.emotion.track_reason
            seconds[key] = seconds.get(key, 0.0) + length_s
    people = {number for number, _ in seconds}
    if not people:
        return None, ""
    number = max(people, key=lambda it: sum(length_s for (its, _), length_s in seconds.items() if its == it))
    return number, max((key for key in seconds if key[0] == number), key=lambda key: seconds[key])[1]


def _rationale(weighted: Weighted, emotion: Emotion) -> tuple[RationalePart, ...]:
    """Return the causes in the parts that are surest of the film's emotion, one a channel, and one of another."""
    surest = sorted(weighted, key=lambda item: -item[0].emotion.probabilities[emotion.label] * item[1])
    causes: dict[str, RationalePart] = {}
    against: list[RationalePart] = []
    for answer, _, part in surest:
        for told in answer.rationale_parts or ():
            moved = replace(
                told, start_s=max(told.start_s + part.origin_s, 0.0), end_s=max(told.end_s + part.origin_s, 0.0)
            )
            if told.kind == "cause" and told.emotion == emotion.label:
                causes.setdefault(told.channel, moved)
            elif told.kind == "cause" and not against:
                against.append(replace(moved, kind="against"))
    return (*list(causes.values())[:MOST_CAUSES], *against)
