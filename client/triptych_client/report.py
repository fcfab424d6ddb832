"""The answer as a report for people, for a terminal or a text file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from triptych_client.characters import printable
from triptych_client.contract import ALL_CHANNELS, INVERTED
from triptych_client.labels import Labels
from triptych_client.languages import labels_of
from triptych_client.results import Analysis, AudioTrack, Channel, Emotion, Footage, Model, Transcript
from triptych_client.timeline import Run, leading, pieces, runs

COLOURS = {
    "anger": "red",
    "disgust": "green",
    "fear": "magenta",
    "happiness": "yellow",
    "sadness": "blue",
    "surprise": "cyan",
    "neutral": "bright_black",
}
STATE_STYLES = {"ok": "green", "absent": "dim", "failed": "bold red"}
BAR_WIDTH = 30
MAX_PEOPLE = 4
SHORT_SHA256 = 12


def text(analyses: Iterable[Analysis], console: Console, lang: str = "en") -> Iterator[str]:
    """Yield the report of each answer, laid out and coloured as suits the console."""
    for analysis in analyses:
        with console.capture() as capture:
            console.print(report(analysis, lang, coloured=console.color_system is not None and not console.no_color))
        yield capture.get()


def report(analysis: Analysis, lang: str = "en", *, coloured: bool = True) -> RenderableType:
    """Return the whole report of one answer. Without colours the strip of the timeline says nothing: left out."""
    labels, analysis = labels_of(lang), analysis.in_language(lang)
    sections = {
        "emotion": _emotion(analysis.emotion, labels),
        "transcript": _transcript(analysis.transcript, labels),
        "audio_tags": _audio_tags(analysis, labels),
        "channels": _channels(analysis, labels),
        "timeline": _timeline(analysis, labels, coloured),
        "faces": _faces(analysis, labels),
        "models": _models(analysis, labels),
    }
    parts: list[RenderableType] = [_headline(analysis, labels)]
    for name, section in sections.items():
        parts += [Rule(f"[bold]{labels.headings[name]}", align="left", style="dim"), Padding(section, (0, 0, 1, 2))]
    return Group(*parts, _plain(f"Triptych {analysis.server.triptych} · Triton {analysis.server.triton}", "dim"), "")


def percent(share: float) -> str:
    """Return a share as a percentage: 0.341 -> 34.1 %."""
    return f"{100 * share:.1f} %"


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds: 62.44 -> 1:02.4."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _headline(analysis: Analysis, labels: Labels) -> RenderableType:
    below = [part for line in clip_facts(analysis, labels) for part in ("\n", (line, "dim"))]
    return Panel(Text.assemble((printable(analysis.clip.path or "–"), "bold"), *below), border_style="dim")


def clip_facts(analysis: Analysis, labels: Labels) -> list[str]:
    """Return lines on the clip: what it is, what of a film the answer lacks, which of its sound is heard."""
    clip = analysis.clip
    facts = [f"{clip.duration_s:.1f} {labels.seconds}"] if clip.duration_s is not None else []
    facts += [f"{clip.width}×{clip.height}"] if clip.width and clip.height else []
    facts += [f"{clip.frame_rate:g} {labels.frames_per_second}"] if clip.frame_rate else []
    facts += [] if clip.has_video else [labels.without_video]
    facts += [] if clip.has_audio else [labels.without_audio]
    return [" · ".join(facts), *_lacking(analysis.footage, labels), *_heard(analysis.audio_tracks, labels)]


def _lacking(footage: Footage | None, labels: Labels) -> list[str]:
    """Return how much of a long film the answer is about, where that is not all."""
    if footage is None or footage.complete:
        return []
    seconds = sum(part.end_s - part.start_s for part in footage.parts if not part.error)
    return [labels.incomplete.format(minutes=f"{seconds / 60:.1f}")]


def _heard(tracks: Sequence[AudioTrack], labels: Labels) -> list[str]:
    """Return what is to be said of the sound track that is heard: nothing of the only one whose channels are mixed."""
    number, track = next(((i, track) for i, track in enumerate(tracks, 1) if track.heard), (0, None))
    if track is None:
        return []
    names = ", ".join(printable(name) for name in (track.title, track.language) if name)
    which = labels.audio_track.format(number=number, count=len(tracks))
    lines = [f"{which}: {names}" if names else which] if len(tracks) > 1 else []
    if track.heard == INVERTED:
        lines.append(labels.channels_inverted)
    elif track.heard != ALL_CHANNELS:
        lines.append(labels.only_channel.format(channel=track.heard))
    return lines


def _emotion(emotion: Emotion, labels: Labels) -> RenderableType:
    best = Table.grid(padding=(0, 2))
    for label, share in emotion.top3:
        name = _plain(labels.emotion(label), f"bold {COLOURS[label]}")
        best.add_row(name, _right(percent(share)), Bar(1, 0, share, width=BAR_WIDTH, color=COLOURS[label]))
    flags = [labels.abstained] if emotion.abstained else []
    flags += [labels.conflict] if emotion.conflict else []
    return Group(*[_plain(f"! {flag}", "bold yellow") for flag in flags], best)


def _transcript(transcript: Transcript, labels: Labels) -> RenderableType:
    if not transcript.utterances:
        return _plain(labels.no_speech, "dim")
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(no_wrap=True)
    for said in transcript.utterances:
        table.add_row(_span(said.start_s, said.end_s), _plain(said.text), _lead(*leading(said.probabilities), labels))
    return Group(table, _plain(labels.transcript_note.format(language=_languages(transcript)), "dim"))


def _languages(transcript: Transcript) -> str:
    """Return the languages of a transcript in order; one that is a guess has a question mark."""
    spoken = dict.fromkeys(said.language for said in transcript.utterances if said.language)
    unsure = {said.language for said in transcript.utterances if not said.language_is_sure}
    return ", ".join(f"{code}?" if code in unsure else code for code in spoken) or "–"


def _audio_tags(analysis: Analysis, labels: Labels) -> RenderableType:
    names = labels.tags(tag.label for tag in analysis.audio_tags)
    tags = [f"{name} {percent(tag.score)}" for name, tag in zip(names, analysis.audio_tags)]
    return _plain(" · ".join(tags)) if tags else _plain(labels.no_sounds, "dim")


def _channels(analysis: Analysis, labels: Labels) -> RenderableType:
    table = _table(labels, "channel", "status", "weight", "expresses", "reason")
    for name, channel in analysis.channels.items():
        table.add_row(_plain(labels.channels[name], "bold"), *_channel(channel, labels))
    return Group(table, "", _plain(analysis.rationale, "italic"))


def _channel(channel: Channel, labels: Labels) -> tuple[RenderableType, ...]:
    state = _plain(labels.states[channel.status], STATE_STYLES[channel.status])
    lead = _lead(*leading(channel.probabilities), labels)
    return state, _right(percent(channel.weight)), lead, _plain(channel.reason, "dim")


def _timeline(analysis: Analysis, labels: Labels, coloured: bool) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for run in runs(analysis.timeline):
        bar = Bar(1, 0, run.confidence, width=BAR_WIDTH, color=COLOURS.get(run.label or "", "default"))
        table.add_row(_span(run.start_s, run.end_s), *_lead_cells(run, labels), bar)
    return Group(_strip(pieces(analysis.timeline)), "", table) if coloured and analysis.timeline else table


def _strip(parts: list[Run]) -> Text:
    """Return the timeline as one line of coloured blocks, a piece each, as long as about the width of a terminal."""
    width = max(1, 60 // max(1, len(parts)))
    blocks = [(("█" if run.label else "·") * width, COLOURS.get(run.label or "", "dim")) for run in parts]
    return Text.assemble(*blocks, overflow="crop", no_wrap=True)


def _faces(analysis: Analysis, labels: Labels) -> RenderableType:
    if not analysis.people:
        return _plain(labels.no_faces, "dim")
    counts = Counter(face.track for face in analysis.faces)
    table = Table.grid(padding=(0, 2))
    for track, count in counts.most_common(MAX_PEOPLE):
        person = analysis.people[track]
        named = _plain(labels.person.format(number=track + 1, count=count))
        table.add_row(named, _span(person.start_s, person.end_s), _lead(*leading(person.probabilities), labels))
    rest = len(counts) - MAX_PEOPLE
    more = [_plain(labels.more_people.format(count=rest), "dim")] if rest > 0 else []
    return Group(table, *more, *_about(analysis.emotion, labels))


def _about(emotion: Emotion, labels: Labels) -> list[RenderableType]:
    """Return a line that says which of several people the answer is about, and why."""
    why = labels.about.get(emotion.track_reason)
    return [_plain(why.format(number=emotion.track + 1), "dim")] if why and emotion.track is not None else []


def _models(analysis: Analysis, labels: Labels) -> RenderableType:
    table = _table(labels, "role", "model", "licence", "sha256")
    for role, model in analysis.models.items():
        table.add_row(_plain(labels.role(role)), *_model(model))
    return table


def _model(model: Model) -> tuple[RenderableType, ...]:
    return _plain(model.name), _plain(model.licence, "dim"), _plain((model.sha256 or "–")[:SHORT_SHA256], "dim")


def _table(labels: Labels, *columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(labels.columns[column], justify="right" if column == "weight" else "left")
    return table


def _lead(label: str | None, share: float, labels: Labels) -> Text:
    """Return an emotion with its percentage."""
    named = Text(labels.emotion(label), COLOURS.get(label or "", "dim"))
    return named.append(f" {percent(share)}", "default") if label else named


def _lead_cells(run: Run, labels: Labels) -> tuple[Text, Text]:
    name = _plain(labels.emotion(run.label), COLOURS.get(run.label or "", "dim"))
    return name, _right(percent(run.confidence)) if run.label else _right("")


def _span(start_s: float, end_s: float) -> Text:
    return Text(f"{clock(start_s)}–{clock(end_s)}", "dim", no_wrap=True)


def _plain(words: str, style: str = "") -> Text:
    """Return words as they are: brackets in them are not markup."""
    return Text(words, style)


def _right(words: str) -> Text:
    return Text(words, justify="right", no_wrap=True)
