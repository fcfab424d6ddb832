"""The command `triptych`."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console

from triptych_client import __version__, clips, files
from triptych_client.archive import run
from triptych_client.archive.run import Wish
from triptych_client.asking import Asking
from triptych_client.batch.command import UNFINISHED, batch
from triptych_client.call import DEFAULT_TIMEOUT_S
from triptych_client.characters import prepare_console, printable
from triptych_client.copies import Copies, written
from triptych_client.errors import TriptychClientError, mebibytes
from triptych_client.extras import needed_for
from triptych_client.formats import Failed
from triptych_client.options import Server, reaching
from triptych_client.output import (
    Format,
    Look,
    Sieve,
    check,
    complain,
    file_console,
    tell_skipped,
    write_stream,
    writer,
)
from triptych_client.plugins import Commands
from triptych_client.progress import ClipProgress
from triptych_client.results import Analysis
from triptych_client.schema import load as schema_of_answer

INTERRUPTED = 128 + signal.SIGINT
"""The exit code that typer gives a command that was interrupted."""

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Lang(str, Enum):
    """The language of what people read."""

    EN = "en"
    RU = "ru"


class Task(str, Enum):
    """What the speech recogniser does; contract.TASKS."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


def main() -> None:
    """Run the command line; an error that explains itself becomes one red line, anything else a traceback.

    Interrupted, the process dies of the signal, as a shell expects, without waiting for threads that read a pipe.
    """
    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        raise
    except Exception as error:
        if not _explains_itself(error):
            raise
        complain(error)
        sys.exit(1)


def _explains_itself(error: Exception) -> bool:
    """Tell whether the message is for the user: ours, a file's, or the server package's, which may not be installed."""
    bases = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, (TriptychClientError, OSError)) or "TriptychError" in bases


def _print_versions(wanted: bool) -> None:
    if not wanted:
        return
    typer.echo(f"triptych-client {__version__}")
    try:
        typer.echo(f"triptych {version('triptych')}")
    except PackageNotFoundError:
        typer.echo("triptych (the server) is not installed")
    raise typer.Exit


@app.callback()
def triptych(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_versions, is_eager=True, help="Show the versions and exit.")
    ] = False,
) -> None:
    """Read the emotion that a video clip expresses: face, sound, voice and words, fused by one Triton server."""


@app.command()
@reaching
def analyze(
    paths: Annotated[list[Path], typer.Argument(metavar="CLIP", help="Media files, or folders of them.")],
    server: Server,
    format: Annotated[Format, typer.Option(help="How answers are written.")] = Format.TEXT,
    out: Annotated[str | None, typer.Option(help="One file for all, or a folder/ for a file each.")] = None,
    lang: Annotated[Lang, typer.Option(help="Language of report, subtitles and rationale.")] = Lang.EN,
    task: Annotated[Task, typer.Option(help="Write down speech, or translate it to English.")] = Task.TRANSCRIBE,
    language: Annotated[str | None, typer.Option(help="Spoken language (en, ru, ...); recognised by default.")] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for one answer.")] = DEFAULT_TIMEOUT_S,
    concurrency: Annotated[int, typer.Option(min=1, help="Clips that are analysed at the same time.")] = 4,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Into a folder: ask again about clips that failed.")
    ] = False,
    bom: Annotated[bool, typer.Option("--bom", help="Begin CSV with a byte order mark, for Excel.")] = False,
    annotate: Annotated[
        str | None, typer.Option(help="Also write the clip with the answer drawn on it: an .mp4, or a folder/ of them.")
    ] = None,
    redact: Annotated[bool, typer.Option("--redact", help="Blur faces in pages and annotated clips.")] = False,
    embed: Annotated[
        int | None,
        typer.Option(min=0, metavar="MIB", help="A page holds clips up to this size; larger ones are linked."),
    ] = None,
    window: Annotated[
        float | None, typer.Option(min=6.0, help="Seconds of a part of long footage; as many as the server takes.")
    ] = None,
) -> None:
    """Analyse clips and folders of clips; what is longer than a clip may be is cut into parts, and stitched again.

    A file of --out is there when all of it is written, and not before: in a folder, that is after each clip. A run into
    a folder that was ended goes on when it is given again.

    Exits with 0 when every clip is answered, with 1 when some failed (the answers for the others are written all the
    same), 2 for a command line that makes no sense, 3 when a run into a folder ended before every clip was tried, 130
    when it was interrupted.
    """
    check(format)
    search = clips.find(paths)
    _check(search, out, format, paths)
    if redact and annotate is None and format is not Format.HTML:
        raise typer.BadParameter("faces are seen with --format html and --annotate only", param_hint="--redact")
    copies = _copies(search, annotate, lang, redact)
    look = Look(lang.value, bom, redact, None if embed is None else embed << 20)
    with (
        server.client(timeout) as client,
        ClipProgress(len(search.found)) as progress,
    ):
        asking = Asking(client, progress, concurrency, task.value, language, window_s=window)
        sieve = Sieve(progress, format)
        if out and clips.is_folder(out):
            wish = Wish(
                format,
                lang.value,
                task.value,
                language,
                again=retry_failed,
                bom=bom,
                redact=redact,
                embedded_bytes=look.embedded_bytes,
                copies=copies,
            )
            _into_folder(search, Path(out), wish, asking, sieve)
        else:
            client.triton_version()
            _into_one(search, out, format, look, copies, asking, sieve)
    tell_skipped(search, format)
    if asking.interrupted:
        raise KeyboardInterrupt
    raise typer.Exit(1 if sieve.failed else 0)


@app.command()
@reaching
def limits(
    server: Server,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the answer.")] = 10.0,
) -> None:
    """Ask a server how large a clip it takes, and how long."""
    with server.client(timeout) as client:
        told = client.limits()
    largest = None if told.max_clip_bytes is None else f"at most {mebibytes(told.max_clip_bytes)}"
    longest = None if told.max_seconds is None else f"{told.max_seconds:g} s"
    said = " and ".join(filter(None, (largest, longest)))
    typer.echo(f"a clip of {said}" if said else "the server does not say")


@app.command()
@reaching
def ui(
    server: Server,
    host: Annotated[str, typer.Option(help="Where the page listens; other than 127.0.0.1: for everybody there.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 7860,
    lang: Annotated[Lang, typer.Option(help="Language of the page, and of reports to begin with.")] = Lang.EN,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for one answer.")] = DEFAULT_TIMEOUT_S,
    concurrency: Annotated[int, typer.Option(min=1, help="Visitors that are answered at the same time.")] = 4,
) -> None:
    """Serve a page in the browser to try it on: drop a clip or record one, and see the report. Needs the extra `ui`."""
    with server.client(timeout) as client:
        with needed_for("triptych ui", "ui"):
            from triptych_client.ui.app import serve
        with serve(client, host, port, lang.value, concurrency) as page:
            typer.echo(page.url)
            page.wait()


app.command()(batch)


@app.command()
def schema() -> None:
    """Print the JSON Schema of an answer."""
    prepare_console(sys.stdout, for_machines=True)
    typer.echo(json.dumps(schema_of_answer(), indent=2, ensure_ascii=False))


def _check(search: clips.Search, out: str | None, format: Format, paths: list[Path]) -> None:
    """Tell usage errors before any work."""
    found = search.found
    if not found:
        said = "; ".join(filter(None, (f"no media file in {', '.join(map(str, paths))}", search.summary())))
        raise typer.BadParameter(printable(said), param_hint="CLIP")
    if out and clips.is_folder(out):
        try:
            clips.targets(found, Path(out), format.suffix)
        except ValueError as error:
            raise typer.BadParameter(printable(str(error)), param_hint="--out") from None
    elif format is Format.PARQUET or (format.needs_folder and len(found) > 1):
        raise typer.BadParameter(
            f"{format.value} of {len(found)} clips needs a folder, like --out answers/", param_hint="--out"
        )


def _copies(search: clips.Search, annotate: str | None, lang: Lang, redact: bool) -> Copies:
    if annotate is None:
        return Copies()
    try:
        return Copies.of(search.found, annotate, lang.value, redact=redact)
    except ValueError as error:
        raise typer.BadParameter(printable(str(error)), param_hint="--annotate") from None


def _into_folder(search: clips.Search, folder: Path, wish: Wish, asking: Asking, sieve: Sieve) -> None:
    """Analyse into a folder; what ends the run before its end is one line, and exit code 3."""
    try:
        with run.opened(folder, wish) as archive:
            asking.journals = archive.private
            asking.client.triton_version()
            tally = archive.analyse(search.found, asking.as_done, sieve)
            asking.forget()
    except (TriptychClientError, OSError) as error:
        complain(error)
        raise typer.Exit(UNFINISHED) from None
    if tally.before or tally.failed > sieve.failed:
        typer.echo(printable(tally.summary()), err=True)
    sieve.failed = tally.failed


def _into_one(
    search: clips.Search, out: str | None, format: Format, look: Look, copies: Copies, asking: Asking, sieve: Sieve
) -> None:
    """Analyse into one file, or to standard output."""
    target = Path(out).resolve() if out else None
    if target and (target.is_file() or not target.exists()):
        asking.journals = target.parent
    outcomes = asking.in_order([item.path for item in search.found])
    answers = _copied((answer for _, answer in sieve.passed(outcomes, look.lang)), copies, sieve)
    with _opened(out, format) as (stream, console):
        folder = Path(out).resolve().parent if out else None
        write = writer(format, look, console, several=len(search.found) > 1, folder=folder)
        write_stream(answers, stream, write, sieve.progress)
    asking.forget()


def _copied(answers: Iterable[Analysis | Failed], copies: Copies, sieve: Sieve) -> Iterator[Analysis | Failed]:
    """Pass answers on, and write the copies of their clips."""
    for answer in answers:
        yield answer
        if isinstance(answer, Analysis) and (error := written(answer, copies)) is not None:
            sieve.tell(answer.clip.path, error)


@contextmanager
def _opened(out: str | None, format: Format) -> Iterator[tuple[TextIO, Console]]:
    """Open the file that all answers go to, or standard output."""
    if out is None:
        prepare_console(sys.stdout, for_machines=format is not Format.TEXT)
        yield sys.stdout, Console()
        return
    with files.whole(Path(out)) as stream:
        yield stream, file_console(stream)
