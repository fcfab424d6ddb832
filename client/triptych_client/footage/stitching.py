"""The answers for the windows of a film -> one answer, with the film's times, people and timeline.

What the windows say is kept as they say it, each for its own stretch of the film. What an answer says of the whole is
their mean over time, of contributions and logits: as the fusion adds the evidence of one clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from triptych_client.decode import joined
from triptych_client.errors import InvalidClip
from triptych_client.footage import people, seams, summary
from triptych_client.footage.means import mean
from triptych_client.footage.parts import Part
from triptych_client.results import (
    Analysis,
    AudioTag,
    Face,
    Footage,
    FootagePart,
    Person,
    Probabilities,
    TimelineWindow,
    Transcript,
)

MOST_TAGS = 10


def stitch(parts: Iterable[Part], path: str | None, duration_s: float | None, *, interrupted: bool = False) -> Analysis:
    """Return the film's answer from its parts, in any order. `interrupted`: there would be further parts.

    InvalidClip when no part has an answer.
    """
    parts = sorted(parts, key=lambda part: part.index)
    good = [part for part in parts if part.analysis is not None]
    if not good:
        raise InvalidClip(parts[0].error if parts else "nothing of the film was analysed", path)
    first = _answer(good[0])
    numbers = people.join(good)
    chosen = _chosen_windows(good)
    told = replace(
        first,
        clip=replace(first.clip, path=path, duration_s=duration_s or parts[-1].end_s),
        transcript=_transcript(good),
        audio_tags=_audio_tags(chosen),
        faces=tuple(_faces(good, numbers)),
        people=tuple(_people(good, numbers, chosen)),
        timeline=tuple(_window(part, index) for part, index in chosen),
        footage=_footage(parts, interrupted),
        embeddings={},
    )
    return summary.summed(told, good, numbers).in_language("en")


def _answer(part: Part) -> Analysis:
    if part.analysis is None:
        raise ValueError(f"part {part.index} has no answer")
    return part.analysis


def _footage(parts: Sequence[Part], interrupted: bool) -> Footage:
    spans = tuple(FootagePart(part.start_s, part.end_s, part.error) for part in parts)
    return Footage(not interrupted and all(part.analysis for part in parts), interrupted, spans)


def _transcript(parts: Sequence[Part]) -> Transcript:
    utterances = seams.join(parts)
    seconds: dict[str, float] = {}
    for said in utterances:
        if said.language:
            seconds[said.language] = seconds.get(said.language, 0.0) + said.end_s - said.start_s
    language = max(seconds, key=lambda name: seconds[name], default=None)
    return Transcript(language, joined((said.text for said in utterances), language), utterances)


def _audio_tags(chosen: Sequence[tuple[Part, int]]) -> tuple[AudioTag, ...]:
    """Return the tags that were the strongest anywhere; None in windows of parts where others were stronger."""
    parts = {part.index: part for part, _ in chosen}
    by_part = {index: {tag.label: tag for tag in _answer(part).audio_tags} for index, part in parts.items()}
    scores: dict[str, float] = {}
    for tag in (tag for tags in by_part.values() for tag in tags.values()):
        scores[tag.label] = max(scores.get(tag.label, 0.0), tag.score)
    strongest = sorted(scores, key=lambda label: -scores[label])[:MOST_TAGS]
    return tuple(AudioTag(label, scores[label], tuple(_in_time(label, by_part, chosen))) for label in strongest)


def _in_time(
    label: str, by_part: Mapping[int, Mapping[str, AudioTag]], chosen: Sequence[tuple[Part, int]]
) -> Iterator[float | None]:
    for part, index in chosen:
        tag = by_part[part.index].get(label)
        yield tag.timeline[index] if tag and index < len(tag.timeline) else None


def _is_its_own(part: Part, time_s: float, parts: Sequence[Part]) -> bool:
    """Tell whether a time of the film is a part's to tell; what lies before the first or behind the last is theirs."""
    return (part.start_s <= time_s or part is parts[0]) and (time_s < part.end_s or part is parts[-1])


def _faces(parts: Sequence[Part], numbers: people.Numbers) -> Iterator[Face]:
    for part in parts:
        for face in _answer(part).faces:
            time_s = face.time_s + part.origin_s
            if _is_its_own(part, time_s, parts):
                yield replace(face, time_s=max(time_s, 0.0), track=numbers[part.index, face.track])


def _chosen_windows(parts: Sequence[Part]) -> list[tuple[Part, int]]:
    """Return the windows of all timelines whose middle is in their part, in order of time."""
    return [
        (part, index)
        for part in parts
        for index, window in enumerate(_answer(part).timeline)
        if _is_its_own(part, part.origin_s + (window.start_s + window.end_s) / 2, parts)
    ]


def _window(part: Part, index: int) -> TimelineWindow:
    window = _answer(part).timeline[index]
    start_s, end_s = (max(time_s + part.origin_s, 0.0) for time_s in (window.start_s, window.end_s))
    return replace(window, start_s=start_s, end_s=end_s)


def _people(parts: Sequence[Part], numbers: people.Numbers, chosen: Sequence[tuple[Part, int]]) -> Iterator[Person]:
    """Yield the film's people: times by the faces that are kept, the rest by how many of a part's faces those are."""
    kept: dict[int, list[float]] = {}
    by_track: dict[tuple[int, int], int] = {}
    for part in parts:
        for face in _answer(part).faces:
            if _is_its_own(part, face.time_s + part.origin_s, parts):
                kept.setdefault(numbers[part.index, face.track], []).append(max(face.time_s + part.origin_s, 0.0))
                by_track[part.index, face.track] = by_track.get((part.index, face.track), 0) + 1
    shown = {(part.index, person.track): person for part in parts for person in _answer(part).people}
    for number, times in sorted(kept.items()):
        theirs = [key for key in by_track if numbers[key] == number and key in shown]
        counts = [by_track[key] for key in theirs]
        yield Person(
            track=number,
            start_s=min(times),
            end_s=max(times),
            speech_s=round(sum(shown[key].speech_s * _share(key, by_track, parts) for key in theirs), 3),
            probabilities=mean([shown[key].probabilities for key in theirs], counts),
            timeline=tuple(_in_windows(number, numbers, shown, chosen)),
        )


def _share(key: tuple[int, int], kept: Mapping[tuple[int, int], int], parts: Sequence[Part]) -> float:
    """Return how much of a track is in the part's own stretch, by faces."""
    index, track = key
    faces = next(_answer(part).faces for part in parts if part.index == index)
    return kept[key] / sum(face.track == track for face in faces)


def _in_windows(
    number: int,
    numbers: people.Numbers,
    shown: Mapping[tuple[int, int], Person],
    chosen: Sequence[tuple[Part, int]],
) -> Iterator[Probabilities | None]:
    """Yield what a person's face expresses in each window of the film's timeline; None: not seen."""
    track_of = {index: track for (index, track), its in numbers.items() if its == number}
    for part, index in chosen:
        person = shown.get((part.index, track_of.get(part.index, -1)))
        yield person.timeline[index] if person and index < len(person.timeline) else None
