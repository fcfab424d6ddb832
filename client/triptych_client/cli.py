"""The command `triptych`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich.console import Console

from triptych_client import __version__, clips, files
from triptych_client.archive import run
from triptych_client.archive.run import Wish
from triptych_client.asking import Asking
from triptych_client.call import DEFAULT_TIMEOUT_S
from triptych_client.characters import prepare_console, printable
from triptych_client.errors import TriptychClientError, mebibytes
from triptych_client.output import (
    Format,
    Sieve,
    complain,
    file_console,
    tell_skipped,
    write_stream,
    writer,
)
from triptych_client.peer import DEFAULT_URL
from triptych_client.plugins import Commands
from triptych_client.progress import ClipProgress
from triptych_client.schema import load as schema_of_answer

if TYPE_CHECKING:
    from triptych_client.client import Client

TOKEN_VARIABLE = "TRIPTYCH_TOKEN"

INTERRUPTED = 128 + signal.SIGINT
"""The exit code that typer gives a command that was interrupted."""

UNFINISHED = 3
"""The exit code of a run into a folder that ended before every clip was tried; given again, it goes on."""

Url = Annotated[
    str,
    typer.Option(help="host:port of the server's gRPC service (of several: with commas), [address]:port or unix:PATH."),
]
Tls = Annotated[bool, typer.Option("--tls", help="Encrypt; implied by any PEM file.")]
RootCertificates = Annotated[Path | None, typer.Option(help="PEM file: whom to trust.")]
PrivateKey = Annotated[Path | None, typer.Option(help="PEM file: the client's key.")]
CertificateChain = Annotated[Path | None, typer.Option(help="PEM file: the client's certificate.")]
TokenFile = Annotated[Path | None, typer.Option(help=f"File with the server's token; else {TOKEN_VARIABLE} has it.")]
PlaintextToken = Annotated[
    bool, typer.Option("--allow-plaintext-token", help="Send the token without TLS, to another machine too.")
]
Metadata = Annotated[list[str] | None, typer.Option(help="NAME=VALUE sent with every call; may be given again.")]

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
def analyze(
    paths: Annotated[list[Path], typer.Argument(metavar="CLIP", help="Media files, or folders of them.")],
    url: Url = DEFAULT_URL,
    format: Annotated[Format, typer.Option(help="How answers are written.")] = Format.TEXT,
    out: Annotated[str | None, typer.Option(help="One file for all, or a folder/ for a file each.")] = None,
    lang: Annotated[Lang, typer.Option(help="Language of report, subtitles and rationale.")] = Lang.EN,
    task: Annotated[Task, typer.Option(help="Write down speech, or translate it to English.")] = Task.TRANSCRIBE,
    language: Annotated[str | None, typer.Option(help="Spoken language (en, ru, ...); recognised by default.")] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for one answer.")] = DEFAULT_TIMEOUT_S,
    concurrency: Annotated[int, typer.Option(min=1, help="Clips that are analysed at the same time.")] = 4,
    tls: Tls = False,
    root_certificates: RootCertificates = None,
    private_key: PrivateKey = None,
    certificate_chain: CertificateChain = None,
    token_file: TokenFile = None,
    allow_plaintext_token: PlaintextToken = False,
    metadata: Metadata = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Into a folder: ask again about clips that failed.")
    ] = False,
    bom: Annotated[bool, typer.Option("--bom", help="Begin CSV with a byte order mark, for Excel.")] = False,
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
    search = clips.find(paths)
    _check(search, out, format, paths)
    with (
        _client(
            url,
            timeout,
            tls,
            root_certificates,
            private_key,
            certificate_chain,
            token_file,
            allow_plaintext_token,
            metadata,
        ) as client,
        ClipProgress(len(search.found)) as progress,
    ):
        asking = Asking(client, progress, concurrency, task.value, language, window_s=window)
        sieve = Sieve(progress, format)
        if out and clips.is_folder(out):
            wish = Wish(format, lang.value, task.value, language, again=retry_failed, bom=bom)
            _into_folder(search, Path(out), wish, asking, sieve)
        else:
            client.triton_version()
            _into_one(search, out, format, lang.value, bom, asking, sieve)
    tell_skipped(search, format)
    if asking.interrupted:
        raise KeyboardInterrupt
    raise typer.Exit(1 if sieve.failed else 0)


@app.command()
def limits(
    url: Url = DEFAULT_URL,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the answer.")] = 10.0,
    tls: Tls = False,
    root_certificates: RootCertificates = None,
    private_key: PrivateKey = None,
    certificate_chain: CertificateChain = None,
    token_file: TokenFile = None,
    allow_plaintext_token: PlaintextToken = False,
    metadata: Metadata = None,
) -> None:
    """Ask a server how large a clip it takes, and how long."""
    with _client(
        url,
        timeout,
        tls,
        root_certificates,
        private_key,
        certificate_chain,
        token_file,
        allow_plaintext_token,
        metadata,
    ) as client:
        told = client.limits()
    largest = None if told.max_clip_bytes is None else f"at most {mebibytes(told.max_clip_bytes)}"
    longest = None if told.max_seconds is None else f"{told.max_seconds:g} s"
    said = " and ".join(filter(None, (largest, longest)))
    typer.echo(f"a clip of {said}" if said else "the server does not say")


@app.command()
def schema() -> None:
    """Print the JSON Schema of an answer."""
    prepare_console(sys.stdout, for_machines=True)
    typer.echo(json.dumps(schema_of_answer(), indent=2, ensure_ascii=False))


def _client(
    url: str,
    timeout_s: float,
    tls: bool,
    root_certificates: Path | None,
    private_key: Path | None,
    certificate_chain: Path | None,
    token_file: Path | None,
    allow_plaintext_token: bool,
    metadata: list[str] | None,
) -> Client:
    """Return a client; gRPC is imported here, for its own log on standard error is switched off before that."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from triptych_client.client import Client

    return Client(
        url,
        timeout_s=timeout_s,
        ssl=tls,
        root_certificates=root_certificates,
        private_key=private_key,
        certificate_chain=certificate_chain,
        token=_token(token_file),
        allow_plaintext_token=allow_plaintext_token,
        metadata=_metadata(metadata or []),
    )


def _metadata(given: list[str]) -> dict[str, str]:
    """Return entries NAME=VALUE by name."""
    pairs = [entry.partition("=") for entry in given]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise typer.BadParameter(f"{printable(wrong[0])!r} is not NAME=VALUE", param_hint="--metadata")
    return {name: value for name, _, value in pairs}


def _token(file: Path | None) -> str | None:
    """Return the token in a file, or in the environment; a command line would show it to every user of the machine."""
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is no text"
        raise TriptychClientError(f"cannot be read: {words}", str(file)) from None


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
    search: clips.Search, out: str | None, format: Format, lang: str, bom: bool, asking: Asking, sieve: Sieve
) -> None:
    """Analyse into one file, or to standard output."""
    target = Path(out).resolve() if out else None
    if target and (target.is_file() or not target.exists()):
        asking.journals = target.parent
    outcomes = asking.in_order([item.path for item in search.found])
    answers = (answer for _, answer in sieve.passed(outcomes, lang))
    with _opened(out, format) as (stream, console):
        write = writer(format, lang, console, several=len(search.found) > 1, bom=bom)
        write_stream(answers, stream, write, sieve.progress)
    asking.forget()


@contextmanager
def _opened(out: str | None, format: Format) -> Iterator[tuple[TextIO, Console]]:
    """Open the file that all answers go to, or standard output."""
    if out is None:
        prepare_console(sys.stdout, for_machines=format is not Format.TEXT)
        yield sys.stdout, Console()
        return
    with files.whole(Path(out)) as stream:
        yield stream, file_console(stream)
