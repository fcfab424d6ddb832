"""An answer as tiers of labelled intervals, for annotators: ELAN's .eaf and Praat's TextGrid.

One tier for the emotion of all channels together, one a channel, one a person, one for what is said and one for the
emotion meanwhile. The intervals of a tier follow each other, as both programs demand.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path, PurePath
from xml.etree import ElementTree

from triptych_client.characters import printable
from triptych_client.contract import CHANNELS
from triptych_client.labels import Labels
from triptych_client.languages import labels_of
from triptych_client.results import Analysis, Probabilities
from triptych_client.timeline import leading, runs

SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
"""Of ELAN's annotation format 3.0, which ELAN 5.8 and newer write."""
TYPE = "default-lt"

Interval = tuple[float, float, str]
"""Start and end in seconds, and what is there."""


@dataclass(frozen=True)
class Tier:
    """Intervals in order of time, which do not overlap and have a length."""

    name: str
    intervals: tuple[Interval, ...]


def tiers(analysis: Analysis, lang: str = "en") -> list[Tier]:
    """Return the tiers of an answer, labelled in a language."""
    labels = labels_of(lang)
    windows = analysis.timeline
    by_channel = {name: [window.channels.get(name) for window in windows] for name in CHANNELS}
    said = analysis.transcript.utterances
    return [
        _emotions("emotion", analysis, [window.probabilities for window in windows], labels),
        *(_emotions(name, analysis, row, labels) for name, row in by_channel.items()),
        *(_emotions(f"person {one.track + 1}", analysis, one.timeline, labels) for one in analysis.people),
        _tier("utterances", [(one.start_s, one.end_s, one.text) for one in said]),
        _tier(
            "utterances: emotion",
            [(one.start_s, one.end_s, labels.emotion(leading(one.expressed)[0])) for one in said if one.expressed],
        ),
    ]


def _emotions(name: str, analysis: Analysis, row: Sequence[Probabilities | None], labels: Labels) -> Tier:
    """Return the emotion that leads over time, where there is evidence."""
    windows = [replace(window, probabilities=told) for window, told in zip(analysis.timeline, row)]
    return _tier(name, [(run.start_s, run.end_s, labels.emotion(run.label)) for run in runs(windows) if run.label])


def _tier(name: str, intervals: Iterable[Interval]) -> Tier:
    """Return a tier to the millisecond; what overlaps begins where the interval before it ends."""
    kept: list[Interval] = []
    for start_s, end_s, text in sorted(intervals, key=lambda interval: interval[0]):
        first_s, last_s = max(round(start_s, 3), kept[-1][1] if kept else 0.0), round(end_s, 3)
        if first_s < last_s:
            kept.append((first_s, last_s, " ".join(printable(text).split())))
    return Tier(name, tuple(kept))


def eaf(analyses: Iterable[Analysis], lang: str = "en") -> Iterator[str]:
    """Yield one answer as ELAN's annotation format 3.0."""
    for analysis in analyses:
        document = _document(analysis, tiers(analysis, lang))
        ElementTree.indent(document)
        yield '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(document, encoding="unicode") + "\n"


def _document(analysis: Analysis, made: Sequence[Tier]) -> ElementTree.Element:
    root = ElementTree.Element("ANNOTATION_DOCUMENT", AUTHOR="Triptych", FORMAT="3.0", VERSION="3.0")
    root.set("DATE", datetime.now().astimezone().isoformat(timespec="seconds"))
    root.set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
    root.set("xsi:noNamespaceSchemaLocation", SCHEMA)
    header = ElementTree.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if analysis.clip.path:
        _add_media(header, analysis.clip.path)
    times = sorted({time_s for tier in made for start_s, end_s, _ in tier.intervals for time_s in (start_s, end_s)})
    slots = {time_s: f"ts{number}" for number, time_s in enumerate(times, 1)}
    order = ElementTree.SubElement(root, "TIME_ORDER")
    for time_s, slot in slots.items():
        ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(round(time_s * 1000)))
    count = 0
    for tier in made:
        element = ElementTree.SubElement(root, "TIER", LINGUISTIC_TYPE_REF=TYPE, TIER_ID=tier.name)
        for start_s, end_s, text in tier.intervals:
            count += 1
            _add_annotation(element, f"a{count}", slots[start_s], slots[end_s], text)
    ElementTree.SubElement(header, "PROPERTY", NAME="lastUsedAnnotationId").text = str(count)
    kind = ElementTree.SubElement(root, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID=TYPE)
    kind.attrib.update(TIME_ALIGNABLE="true", GRAPHIC_REFERENCES="false")
    return root


def _add_media(header: ElementTree.Element, path: str) -> None:
    kind = mimetypes.guess_type(path)[0] or "video/*"
    uri = Path(path).absolute().as_uri()
    relative = f"./{PurePath(uri).name}"
    ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", MEDIA_URL=uri, MIME_TYPE=kind, RELATIVE_MEDIA_URL=relative)


def _add_annotation(tier: ElementTree.Element, number: str, start: str, end: str, text: str) -> None:
    annotation = ElementTree.SubElement(tier, "ANNOTATION")
    holder = ElementTree.SubElement(annotation, "ALIGNABLE_ANNOTATION", ANNOTATION_ID=number)
    holder.set("TIME_SLOT_REF1", start)
    holder.set("TIME_SLOT_REF2", end)
    ElementTree.SubElement(holder, "ANNOTATION_VALUE").text = text


def textgrid(analyses: Iterable[Analysis], lang: str = "en") -> Iterator[str]:
    """Yield one answer as Praat's TextGrid, in its long form; tiers without intervals are left out."""
    for analysis in analyses:
        made = [tier for tier in tiers(analysis, lang) if tier.intervals]
        ends = [end_s for tier in made for _, end_s, _ in tier.intervals]
        end_s = max([round(analysis.clip.duration_s or 0.0, 3), *ends, 0.001])
        yield f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = {end_s:.10g}\n'
        yield f"tiers? <exists>\nsize = {len(made)}\nitem []:\n"
        for number, tier in enumerate(made, 1):
            yield from _grid_tier(number, tier, end_s)


def _grid_tier(number: int, tier: Tier, end_s: float) -> Iterator[str]:
    filled = list(_filled(tier.intervals, end_s))
    yield f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{_quoted(tier.name)}"\n'
    yield f"        xmin = 0\n        xmax = {end_s:.10g}\n        intervals: size = {len(filled)}\n"
    for place, (start, end, text) in enumerate(filled, 1):
        yield f"        intervals [{place}]:\n            xmin = {start:.10g}\n            xmax = {end:.10g}\n"
        yield f'            text = "{_quoted(text)}"\n'


def _filled(intervals: Sequence[Interval], end_s: float) -> Iterator[Interval]:
    """Yield intervals without gaps from 0 to the end: an empty one wherever there is nothing."""
    edges = [(0.0, 0.0, ""), *intervals, (end_s, end_s, "")]
    for (_, left_s, _), following in pairwise(edges):
        if left_s < following[0]:
            yield left_s, following[0], ""
        if following[0] < following[1]:
            yield following


def _quoted(text: str) -> str:
    return text.replace('"', '""')
