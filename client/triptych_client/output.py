"""Where the command line writes answers, and how it tells of clips that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import typer
from rich.console import Console

from triptych_client import files, formats, report, tiers
from triptych_client.characters import printable, to_json
from triptych_client.clips import Search
from triptych_client.errors import TriptychClientError
from triptych_client.extras import needed_for
from triptych_client.formats import Failed
from triptych_client.progress import ClipProgress
from triptych_client.results import Analysis, Outcome

Writer = Callable[[Iterable[Any]], Iterator[str]]
"""From answers to pieces of text; that of a table takes `formats.Failed` as well."""

FILE_WIDTH = 100
"""Columns of a report in a file."""


class Format(str, Enum):
    """How answers are written."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    VTT = "vtt"
    PARQUET = "parquet"
    EAF = "eaf"
    TEXTGRID = "textgrid"
    HTML = "html"

    @property
    def suffix(self) -> str:
        """Suffix of a file in this format."""
        named = {Format.TEXT: ".txt", Format.TEXTGRID: ".TextGrid"}
        return named.get(self, f".{self.value}")

    @property
    def is_table(self) -> bool:
        """Whether a folder has one file for all clips, failed ones too, and not a file each."""
        return self in (Format.CSV, Format.PARQUET)

    @property
    def needs_folder(self) -> bool:
        """Whether several clips cannot share a file."""
        return self in (Format.VTT, Format.EAF, Format.TEXTGRID, Format.PARQUET, Format.HTML)


@dataclass(frozen=True)
class Look:
    """How people see answers: in which language, tables with a byte order mark, faces hidden or not.

    A page holds clips of up to `embedded_bytes`, None for as many as browsers take.
    """

    lang: str = "en"
    bom: bool = False
    redact: bool = False
    embedded_bytes: int | None = None


def writer(format: Format, look: Look, console: Console, *, several: bool, folder: Path | None = None) -> Writer:
    """Return the function that writes answers; JSON of several is an array. Only reports are made for the console.

    `folder` is where a page will lie, None for nowhere that is known. TriptychClientError when what pages are made with
    is not installed.
    """
    if format is Format.HTML:
        return _pages(look, folder)
    writers: dict[Format, Writer] = {
        Format.TEXT: partial(report.text, console=console, lang=look.lang),
        Format.JSON: formats.json_array if several else formats.json_object,
        Format.JSONL: formats.jsonl,
        Format.CSV: partial(formats.csv_rows, bom=look.bom),
        Format.VTT: partial(formats.vtt, lang=look.lang),
        Format.EAF: partial(tiers.eaf, lang=look.lang),
        Format.TEXTGRID: partial(tiers.textgrid, lang=look.lang),
    }
    return writers[format]


def check(format: Format) -> None:
    """Say before any work that what a format is made with is not installed: TriptychClientError."""
    if format is Format.HTML:
        _pages(Look(), None)


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
        self.progress = progress
        self._as_json = format is Format.JSONL
        self._is_table = format.is_table

    def passed(self, outcomes: Iterable[Outcome], lang: str = "en") -> Iterator[tuple[int, Analysis | Failed]]:
        """Yield index and answer of the clips that did not fail; for a table, the failed ones as well."""
        for outcome in outcomes:
            self.progress.advance()
            if outcome.analysis is not None:
                yield outcome.index, outcome.analysis.in_language(lang)
            if outcome.error is not None:
                self.tell(outcome.path, outcome.error)
                if self._is_table:
                    yield outcome.index, Failed(outcome.path, outcome.error.reason)

    def tell(self, path: str | None, error: TriptychClientError) -> None:
        """Say that a clip failed, and count it."""
        self.failed += 1
        with self.progress.paused():
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


def write_stream(analyses: Iterable[Analysis | Failed], stream: TextIO, write: Writer, progress: ClipProgress) -> None:
    """Write all answers to one stream, each as soon as it is there."""
    for piece in write(analyses):
        with progress.paused():
            stream.write(piece)
            stream.flush()


def write_folder(answers: Iterable[tuple[int, Analysis]], targets: list[Path], format: Format, look: Look) -> None:
    """Write each answer to its own file; `targets` has one for each index."""
    for index, analysis in answers:
        with files.whole(targets[index]) as stream:
            write = writer(format, look, file_console(stream), several=False, folder=targets[index].parent)
            stream.writelines(write([analysis]))


def file_console(stream: TextIO) -> Console:
    """Return a console for a report in a file: without colours, in a width for reading."""
    return Console(file=stream, width=FILE_WIDTH, color_system=None)
