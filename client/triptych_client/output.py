"""Where the command line writes answers, and how it tells of clips that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TextIO

import typer
from rich.console import Console

from triptych_client import files, formats, report
from triptych_client.characters import printable, to_json
from triptych_client.clips import Search
from triptych_client.errors import TriptychClientError
from triptych_client.extras import needed_for
from triptych_client.progress import ClipProgress
from triptych_client.results import Analysis, Outcome

Writer = Callable[[Iterable[Analysis]], Iterator[str]]

FILE_WIDTH = 100
"""Columns of a report in a file."""


class Format(str, Enum):
    """How answers are written."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    VTT = "vtt"
    HTML = "html"

    @property
    def suffix(self) -> str:
        """Suffix of a file in this format."""
        return ".txt" if self is Format.TEXT else f".{self.value}"


@dataclass(frozen=True)
class Look:
    """How people see answers: in which language, with faces hidden or not; pages embed clips up to a size."""

    lang: str = "en"
    redact: bool = False
    embedded_bytes: int | None = None


def writer(format: Format, look: Look, console: Console, *, several: bool, folder: Path | None = None) -> Writer:
    """Return the function that writes answers; JSON of several is an array. Only reports are made for the console.

    `folder` is where a page will lie, None for nowhere that is known. TriptychClientError when what pages are made with
    is not installed.
    """
    if format is Format.HTML:
        return _pages(look, folder)
    lang = look.lang
    writers: dict[Format, Writer] = {
        Format.TEXT: partial(report.text, console=console, lang=lang),
        Format.JSON: formats.json_array if several else formats.json_object,
        Format.JSONL: formats.jsonl,
        Format.CSV: formats.csv_rows,
        Format.VTT: partial(formats.vtt, lang=lang),
    }
    return writers[format]


def _pages(look: Look, folder: Path | None) -> Writer:
    with needed_for("--format html", "report"):
        from triptych_client.page.html import pages
        from triptych_client.page.media import EMBEDDED_BYTES
    most_bytes = EMBEDDED_BYTES if look.embedded_bytes is None else look.embedded_bytes
    return partial(pages, lang=look.lang, folder=folder, redact=look.redact, most_bytes=most_bytes)


class Sieve:
    """Lets answers through, and says on standard error which clips failed; `failed` counts those."""

    def __init__(self, progress: ClipProgress, format: Format) -> None:
        self.failed = 0
        self._progress = progress
        self._as_json = format is Format.JSONL

    def passed(self, outcomes: Iterable[Outcome]) -> Iterator[tuple[int, Analysis]]:
        """Yield index and answer of the clips that did not fail."""
        for outcome in outcomes:
            self._progress.advance()
            if outcome.analysis is not None:
                yield outcome.index, outcome.analysis
            if outcome.error is not None:
                self.failed += 1
                self._tell(outcome.path, outcome.error)

    def _tell(self, path: str | None, error: TriptychClientError) -> None:
        with self._progress.paused():
            if self._as_json:
                typer.echo(formats.error_line(path, error), err=True)
            else:
                complain(error)


def complain(error: Exception) -> None:
    """Say what went wrong in one red line on standard error."""
    typer.secho(printable(" ".join(str(error).split())), fg="red", err=True)


def tell_skipped(search: Search, format: Format) -> None:
    """Say in one line on standard error what was skipped in folders, if anything."""
    if any(search.skipped.values()):
        line = to_json({"skipped": dict(search.skipped)}) if format is Format.JSONL else search.summary()
        typer.echo(line, err=True)


def write_stream(analyses: Iterable[Analysis], stream: TextIO, write: Writer, progress: ClipProgress) -> None:
    """Write all answers to one stream, each as soon as it is there."""
    for piece in write(analyses):
        with progress.paused():
            stream.write(piece)
            stream.flush()


def write_folder(answers: Iterable[tuple[int, Analysis]], targets: list[Path], format: Format, look: Look) -> None:
    """Write each answer to its own file; `targets` has one for each index."""
    for index, analysis in answers:
        with files.whole(targets[index]) as stream:
            stream.writelines(writer(format, look, file_console(stream), several=False, folder=targets[index].parent)([analysis]))


def file_console(stream: TextIO) -> Console:
    """Return a console for a report in a file: without colours, in a width for reading."""
    return Console(file=stream, width=FILE_WIDTH, color_system=None)
