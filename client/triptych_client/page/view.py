"""What a page shows, made from an answer: words, charts and pictures. The template only lays it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych_client.characters import printable
from triptych_client.contract import CHANNELS, EMOTIONS
from triptych_client.labels import Labels
from triptych_client.languages import labels_of
from triptych_client.page.charts import Drawing, Moment, TimeCharts, contributions
from triptych_client.page.labels import PageLabels
from triptych_client.page.languages import PAGE_LANGUAGES
from triptych_client.page.media import Media
from triptych_client.page.thumbnails import Thumbnail, shown_people
from triptych_client.report import clip_facts, clock, percent
from triptych_client.results import Analysis, Channel, Person, Probabilities, Utterance
from triptych_client.timeline import leading, pieces


@dataclass(frozen=True)
class Named:
    """An emotion with its probability: `label` for its colour, `words` for people; no label: no evidence."""

    label: str
    words: str
    share: float


@dataclass(frozen=True)
class Line:
    """An utterance: when, what, with which emotion of all channels and of its words alone."""

    start_s: float
    end_s: float
    span: str
    text: str
    language: str
    expressed: Named
    alone: Named


@dataclass(frozen=True)
class Tag:
    """A sound with its score over the clip, and its chart."""

    words: str
    score: str
    charts: Sequence[Drawing]


@dataclass(frozen=True)
class Seen:
    """A person: when seen, what the face expresses on the whole and over time, and pictures."""

    words: str
    span: str
    emotion: Named
    charts: Sequence[Drawing]
    pictures: Sequence[tuple[Thumbnail, str]]


@dataclass(frozen=True)
class Row:
    """A channel: state, weight, the emotion it expresses alone, the reason, and what it adds to each logit."""

    name: str
    words: str
    state: str
    state_words: str
    weight: str
    weight_share: float
    alone: Named
    reason: str
    contribution: Sequence[str]


@dataclass(frozen=True)
class View:
    """All that the template needs."""

    lang: str
    labels: Labels
    page: PageLabels
    title: str
    name: str
    facts: Sequence[str]
    media: Media
    redacted: bool
    duration_s: float
    headline: str
    flags: Sequence[str]
    emotions: Sequence[Named]
    rationale: str
    sure: str
    dimensions: Sequence[tuple[str, str]]
    timeline: Sequence[Drawing]
    dimension_charts: Sequence[Drawing]
    lines: Sequence[Line]
    spoken: str
    tags: Sequence[Tag]
    people: Sequence[Seen]
    about_person: str
    more_people: str
    rows: Sequence[Row]
    sums: Sequence[str]
    contribution_charts: Sequence[Drawing]
    models: Sequence[Sequence[str]]
    made_by: str
    player: Mapping[str, Any]


def view(
    analysis: Analysis, lang: str, clip: Media, pictures: Mapping[int, Sequence[Thumbnail]], *, redacted: bool
) -> View:
    """Return what the page of an answer shows; ValueError for a language without words."""
    labels, answer = labels_of(lang), analysis.in_language(lang)
    page = PAGE_LANGUAGES[lang]
    name = printable(Path(answer.clip.path).name) if answer.clip.path else "–"
    emotion = _named(answer.emotion.label, answer.emotion.confidence, labels)
    duration_s = _duration_s(answer)
    charts = TimeCharts(duration_s)
    spans = [(piece.start_s, piece.end_s) for piece in pieces(answer.timeline)]
    people = _people(answer, labels, page, charts, spans, pictures)
    return View(
        lang=lang,
        labels=labels,
        page=page,
        title=page.title.format(emotion=labels.abstained if answer.emotion.abstained else emotion.words, name=name),
        name=name,
        facts=clip_facts(answer, labels),
        media=clip,
        redacted=redacted and clip.kind == "video",
        duration_s=duration_s,
        headline=labels.abstained if answer.emotion.abstained else emotion.words,
        flags=[labels.conflict] if answer.emotion.conflict else [],
        emotions=[
            _named(label, answer.emotion.probabilities[label], labels)
            for label in sorted(EMOTIONS, key=lambda label: -answer.emotion.probabilities[label])
        ],
        rationale=answer.rationale,
        sure=_sure(answer, page),
        dimensions=_dimensions(answer, page),
        timeline=charts.emotions(_moments(spans, [window.probabilities for window in answer.timeline])),
        dimension_charts=charts.dimensions(_moments(spans, [window.dimensions for window in answer.timeline])),
        lines=[_line(said, labels) for said in answer.transcript.utterances],
        spoken=page.language.format(language=answer.transcript.language or "–"),
        tags=_tags(answer, labels, charts, spans),
        people=people,
        about_person=_about(answer, labels),
        more_people=labels.more_people.format(count=len(answer.people) - len(people))
        if len(answer.people) > len(people)
        else "",
        rows=[_row(name, channel, labels) for name, channel in answer.channels.items()],
        sums=_sums(answer),
        contribution_charts=_contributions(answer, labels),
        models=[
            (labels.role(role), printable(model.name), printable(model.licence), model.sha256 or "–")
            for role, model in answer.models.items()
        ],
        made_by=page.made_by.format(triptych=answer.server.triptych, triton=answer.server.triton),
        player=_player(answer, labels, page, spans, duration_s),
    )


def _named(label: str | None, share: float, labels: Labels) -> Named:
    words = f"{labels.emotion(label)} {percent(share)}" if label else labels.no_emotion
    return Named(label or "", words, share)


def _of(probabilities: Probabilities | None, labels: Labels) -> Named:
    return _named(*leading(probabilities), labels)


def _duration_s(answer: Analysis) -> float:
    """Return the length of the clip, or how far the answer reaches where the file does not say."""
    return answer.clip.duration_s or max((window.end_s for window in answer.timeline), default=0) or 1.0


def _sure(answer: Analysis, page: PageLabels) -> str:
    """Return in words how far to trust the percentages."""
    known = answer.emotion.reliability
    first = page.sure.format(share=percent(answer.emotion.confidence))
    if known is None:
        return f"{first} {page.not_reliable}"
    words = page.reliability.format(
        least=f"{100 * known.least:.0f} %",
        most=f"{100 * known.most:.0f} %",
        right=f"{100 * known.right:.0f}",
        clips=known.clips,
        on=page.corpora.get(known.on, printable(known.on)),
    )
    return f"{first} {words}"


def _dimensions(answer: Analysis, page: PageLabels) -> list[tuple[str, str]]:
    found = answer.emotion.dimensions
    return [] if found is None else [(page.valence, f"{found.valence:+.2f}"), (page.arousal, f"{found.arousal:+.2f}")]


def _moments(spans: Sequence[tuple[float, float]], values: Sequence[Any]) -> list[Moment]:
    return [Moment(start_s, end_s, value) for (start_s, end_s), value in zip(spans, values)]


def _line(said: Utterance, labels: Labels) -> Line:
    return Line(
        said.start_s,
        said.end_s,
        f"{clock(said.start_s)}–{clock(said.end_s)}",
        said.text,
        said.language or "",
        _of(said.expressed, labels),
        _of(said.probabilities, labels),
    )


def _tags(answer: Analysis, labels: Labels, charts: TimeCharts, spans: Sequence[tuple[float, float]]) -> list[Tag]:
    names = labels.tags(tag.label for tag in answer.audio_tags)
    return [
        Tag(name, percent(tag.score), charts.share(_moments(spans, tag.timeline)) if tag.timeline else ())
        for name, tag in zip(names, answer.audio_tags)
    ]


def _people(
    answer: Analysis,
    labels: Labels,
    page: PageLabels,
    charts: TimeCharts,
    spans: Sequence[tuple[float, float]],
    pictures: Mapping[int, Sequence[Thumbnail]],
) -> list[Seen]:
    by_track = {person.track: person for person in answer.people}
    counts = {track: sum(face.track == track for face in answer.faces) for track in by_track}

    def seen(person: Person) -> Seen:
        return Seen(
            labels.person.format(number=person.track + 1, count=counts[person.track]),
            page.seen.format(start=clock(person.start_s), end=clock(person.end_s)),
            _of(person.probabilities, labels),
            charts.emotions(_moments(spans, person.timeline), height=56, axes=False),
            [
                (picture, page.face_at.format(time=clock(picture.time_s), emotion=_named_of(picture, labels)))
                for picture in pictures.get(person.track, ())
            ],
        )

    return [seen(by_track[track]) for track in shown_people(answer) if track in by_track]


def _named_of(picture: Thumbnail, labels: Labels) -> str:
    return _named(picture.label, picture.share, labels).words


def _about(answer: Analysis, labels: Labels) -> str:
    why = labels.about.get(answer.emotion.track_reason)
    return why.format(number=answer.emotion.track + 1) if why and answer.emotion.track is not None else ""


def _row(name: str, channel: Channel, labels: Labels) -> Row:
    return Row(
        name,
        labels.channels[name],
        channel.status,
        labels.states[channel.status],
        percent(channel.weight),
        channel.weight,
        _of(channel.probabilities, labels),
        printable(channel.reason),
        [f"{channel.contribution[emotion]:+.2f}" if channel.contribution else "–" for emotion in EMOTIONS],
    )


def _used(answer: Analysis) -> dict[str, Any]:
    return {name: answer.channels[name].contribution for name in CHANNELS if answer.channels[name].contribution}


def _sums(answer: Analysis) -> list[str]:
    return [f"{sum(logits[emotion] for logits in _used(answer).values()):+.2f}" for emotion in EMOTIONS]


def _contributions(answer: Analysis, labels: Labels) -> list[Drawing]:
    used = _used(answer)
    return contributions(used, labels.emotions) if used else []


def _player(
    answer: Analysis, labels: Labels, page: PageLabels, spans: Sequence[tuple[float, float]], duration_s: float
) -> dict[str, Any]:
    """Return what the page's script reads: the probabilities of each span, the utterances' spans, a few words."""
    return {
        "duration": duration_s,
        "emotions": [{"label": label, "words": labels.emotion(label)} for label in EMOTIONS],
        "windows": [
            {
                "start": round(start_s, 3),
                "end": round(end_s, 3),
                "shares": [round(window.probabilities[label], 4) for label in EMOTIONS]
                if window.probabilities
                else None,
            }
            for (start_s, end_s), window in zip(spans, answer.timeline)
        ],
        "noEvidence": page.no_evidence_now,
    }
