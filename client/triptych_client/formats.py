"""The answers as JSON, JSON Lines, CSV and WebVTT: functions from answers to pieces of text, written as they come."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from triptych_client.characters import to_json
from triptych_client.contract import CHANNELS, EMOTIONS
from triptych_client.errors import TriptychClientError
from triptych_client.labels import Labels
from triptych_client.languages import labels_of
from triptych_client.results import Analysis, Utterance
from triptych_client.timeline import leading, runs

MIN_CUE_S = 0.5
"""A subtitle shorter than this cannot be read; a gap between two utterances that is shorter gets none."""

CSV_COLUMNS = (
    *("path", "duration_s", "label", "confidence", "abstained", "conflict"),
    *EMOTIONS,
    *(f"{channel}_{column}" for channel in CHANNELS for column in ("status", "weight", "label")),
    *("language", "text", "audio_tags", "faces", "rationale", "error"),
)
"""Columns of the table with a row a clip; a clip that failed has `path` and `error` only, which the others lack."""

BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel takes UTF-8 for the encoding of the country."""

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What begins so, a spreadsheet computes, whoever wrote it (OWASP, "CSV Injection"): names of files and speech are
others' words."""


@dataclass(frozen=True)
class Failed:
    """A clip without an answer, as tables show it: `error` says why."""

    path: str | None
    error: str


def json_object(analyses: Iterable[Analysis]) -> Iterator[str]:
    """Yield one answer as indented JSON."""
    for analysis in analyses:
        yield analysis.to_json() + "\n"


def json_array(analyses: Iterable[Analysis]) -> Iterator[str]:
    """Yield a JSON array of the answers."""
    before = "[\n"
    for analysis in analyses:
        yield before + analysis.to_json()
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def jsonl(analyses: Iterable[Analysis]) -> Iterator[str]:
    """Yield an answer a line."""
    for analysis in analyses:
        yield analysis.to_json(indent=None) + "\n"


def error_line(path: str | None, error: TriptychClientError) -> str:
    """Return a failed clip as a line of JSON."""
    return to_json({"path": path, "error": error.reason})


def csv_rows(clips: Iterable[Analysis | Failed], *, bom: bool = False) -> Iterator[str]:
    """Yield a header, then a row a clip, failed ones too; no cell is a formula. `bom`: for Excel."""
    buffer = io.StringIO()
    buffer.write(BYTE_ORDER_MARK if bom else "")
    writer = csv.DictWriter(buffer, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for clip in clips:
        writer.writerow({column: inert(cell) for column, cell in clip_row(clip).items()})
        yield _drained(buffer)
    yield _drained(buffer)


def vtt(analyses: Iterable[Analysis], lang: str = "en") -> Iterator[str]:
    """Yield one answer as WebVTT subtitles: what is said with the emotion of that time, in silence the emotion."""
    for analysis in analyses:
        yield "WEBVTT\n\n"
        yield from (_cue(*cue) for cue in _cues(analysis, labels_of(lang)))


def inert(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe goes before what would be one.

    A carriage return becomes a line feed, since Python's csv quotes cells for that only.
    """
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if cell.startswith(FORMULAS) else text


def clip_row(clip: Analysis | Failed) -> dict[str, object]:
    """Return a clip's row: values by CSV_COLUMNS, those that are missing left out."""
    if isinstance(clip, Failed):
        return {"path": clip.path, "error": clip.error}
    return _row(clip)


def _row(analysis: Analysis) -> dict[str, object]:
    emotion = analysis.emotion
    row: dict[str, object] = {
        "path": analysis.clip.path,
        "duration_s": analysis.clip.duration_s,
        "label": emotion.label,
        "confidence": emotion.confidence,
        "abstained": emotion.abstained,
        "conflict": emotion.conflict,
        **emotion.probabilities,
        "language": analysis.transcript.language,
        "text": analysis.transcript.text,
        "audio_tags": "; ".join(tag.label for tag in analysis.audio_tags),
        "faces": len(analysis.faces),
        "rationale": analysis.rationale,
    }
    for name, channel in analysis.channels.items():
        row[f"{name}_status"] = channel.status
        row[f"{name}_weight"] = channel.weight
        row[f"{name}_label"] = leading(channel.probabilities)[0]
    return row


def _drained(buffer: io.StringIO) -> str:
    piece = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return piece


def _cues(analysis: Analysis, labels: Labels) -> Iterator[tuple[float, float, list[str]]]:
    """Yield start, end and lines of each subtitle in order of time."""
    time_s = 0.0
    for said in analysis.transcript.utterances:
        yield from _silence(analysis, time_s, said.start_s, labels)
        end_s = max(said.end_s, said.start_s + MIN_CUE_S)
        yield said.start_s, end_s, [_escaped(said.text), *_expressed(said, labels)]
        time_s = max(time_s, said.end_s)
    yield from _silence(analysis, time_s, float("inf"), labels)


def _silence(
    analysis: Analysis, start_s: float, end_s: float, labels: Labels
) -> Iterator[tuple[float, float, list[str]]]:
    for run in runs(analysis.timeline, start_s, end_s):
        if run.label and run.end_s - run.start_s >= MIN_CUE_S:
            yield run.start_s, run.end_s, [_tag(run.label, run.confidence, labels)]


def _expressed(said: Utterance, labels: Labels) -> list[str]:
    """Return the emotion that all channels together express while something is said."""
    label, share = leading(said.expressed)
    return [_tag(label, share, labels)] if label else []


def _tag(label: str, share: float, labels: Labels) -> str:
    return f"[{labels.emotion(label)} {100 * share:.0f} %]"


def _cue(start_s: float, end_s: float, lines: list[str]) -> str:
    return "\n".join([f"{_timestamp(start_s)} --> {_timestamp(end_s)}", *lines, "", ""])


def _timestamp(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _escaped(text: str) -> str:
    """Return text as WebVTT wants it: on one line, with its special characters as entities."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
