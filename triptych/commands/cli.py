"""Server-side commands of `triptych`; the client's command line finds them by the entry points of pyproject.toml."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console

from triptych.commands import doctor as checks
from triptych.commands.models import models
from triptych.errors import TriptychError
from triptych.paths import BUILD, CACHE, MODEL_REPOSITORY
from triptych.serving import sources as repository_sources
from triptych.serving.door.admission import Bounds
from triptych.serving.door.credentials import Security
from triptych.serving.door.tickets import COUNT
from triptych.serving.engines import Precision
from triptych.serving.events import LogFormat
from triptych.serving.host import Address
from triptych_client.languages import LANGUAGES

console = Console(stderr=True)


class Target(str, Enum):
    """What `triptych export` makes: graphs, or also the engines that a host with a GPU has of some."""

    ONNX = "onnx"
    TENSORRT = "tensorrt"


def export(
    choices: Annotated[
        list[str] | None, typer.Option("--set", help="CHANNEL=MODEL: another model, as in face=cnn-time.")
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option("--source", help="CHANNEL=dir:PATH or CHANNEL=hub:NAME: the checkpoint of a published model."),
    ] = None,
    list_models: Annotated[
        bool, typer.Option("--list", help="Show what can be set, as `triptych models --offline`.")
    ] = False,
    force: Annotated[bool, typer.Option(help="Export again what is up to date.")] = False,
    target: Annotated[
        Target, typer.Option(help="tensorrt: build the engines of the profile gpu too, for the GPU of this host.")
    ] = Target.ONNX,
    precision: Annotated[Precision | None, typer.Option(help="Of the engines; fp16 when it is not said.")] = None,
) -> None:
    """Download weights and export every model into the model repository; what is up to date stays."""
    if list_models:
        models(offline=True)
        return
    if target is Target.ONNX and precision:
        raise TriptychError(f"--precision {precision.value} is of engines: add --target tensorrt")
    chosen = parse_choices(choices or (), "--set CHANNEL=MODEL")
    checkpoints = parse_choices(sources or (), "--source CHANNEL=dir:PATH or CHANNEL=hub:NAME")
    if target is Target.ONNX:
        run_export(chosen, force, checkpoints)
        return
    engines = _engines()
    required = engines.require()
    run_export(chosen, force, checkpoints)
    with console.status("Looking at the engines") as status:
        report = _reporting(status.update)
        engines.write(MODEL_REPOSITORY, CACHE, required, precision or Precision.FP16, report)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on for gRPC; ::1 and the like are IPv6.")] = "127.0.0.1",
    grpc_port: Annotated[int, typer.Option(help="Port for gRPC clients.")] = 8001,
    metrics_host: Annotated[str, typer.Option(help="Address of metrics and probes over HTTP.")] = "127.0.0.1",
    metrics_port: Annotated[int, typer.Option(help="Port for Prometheus, and for probes over HTTP.")] = 8002,
    repository: Annotated[Path, typer.Option(help="The model repository.")] = MODEL_REPOSITORY,
    work: Annotated[Path, typer.Option(help="Folder for what the server writes.")] = BUILD / "server",
    in_flight: Annotated[int, typer.Option(min=1, max=COUNT, help="Clips worked on at once.")] = Bounds.in_flight,
    waiting: Annotated[int, typer.Option(min=0, help="Clips that may wait; more are refused.")] = Bounds.waiting,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM file: the server's certificates; turns TLS on.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file: its key.")] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(help="PEM file: whose certificates every client must have (mutual TLS).")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="File with the token that every client must send.")] = None,
    client_shared_memory: Annotated[
        bool, typer.Option("--client-shared-memory", help="Take clips from memory of clients on this host, unsent.")
    ] = False,
    otlp_endpoint: Annotated[
        str | None, typer.Option(help="URL of OpenTelemetry traces, as http://localhost:4318/v1/traces.")
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(help="Log lines for people, or for what collects them.")
    ] = LogFormat.TEXT,
    option: Annotated[
        list[str] | None, typer.Option(help="A further flag of tritonserver, such as --log-verbose=1.")
    ] = None,
) -> None:
    """Serve every exported model until Ctrl-C or SIGTERM."""
    from export import manifest
    from triptych import providers
    from triptych.serving import engines, events, run

    events.configure(log_format)
    security = Security(tls_certificate, tls_key, tls_client_ca, token_file)
    with console.status("Looking at the exported models"):
        manifest.check(repository)
        engines.check(repository, option or ())
    if slower := providers.lacking(option or ()):
        console.print(f"Note: {slower}.", highlight=False, soft_wrap=True)
    settings = run.Settings(
        door=Address(host, grpc_port),
        web=Address(metrics_host, metrics_port),
        repository=repository,
        work=work,
        bounds=Bounds(in_flight, waiting),
        security=security,
        otlp_endpoint=otlp_endpoint,
        client_shared_memory=client_shared_memory,
        options=option or (),
    )
    raise typer.Exit(asyncio.run(run.serve(settings)))


def doctor() -> None:
    """Check whether this machine can run the embedded server, and say how to mend what it cannot."""
    findings = checks.examine()
    checks.show(findings)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def demo(
    clip: Annotated[Path | None, typer.Argument(help="A media file; without one, a demo clip is made.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the report: en or ru.")] = "en",
    picture: Annotated[Path | None, typer.Option(help="Also draw the report, as SVG.")] = None,
) -> None:
    """Export, start the server, analyse one clip, show the answer, write it to build/demo/answer.json, stop."""
    from triptych.commands import demo as steps

    if clip is not None and not clip.is_file():
        raise TriptychError(f"there is no file {clip}")
    if lang not in LANGUAGES:
        raise TriptychError(f"--lang can be {' or '.join(LANGUAGES)}, not {lang}")
    run_export({}, force=False)
    steps.run(clip, lang, console, picture)


def parse_choices(choices: Iterable[str], form: str) -> dict[str, str]:
    """Return {"slot": "value"} of "slot=value"; TriptychError, which names the `form`, for anything else, or twice."""
    pairs: dict[str, str] = {}
    for choice in choices:
        slot, _, value = choice.partition("=")
        if not (slot and value):
            raise TriptychError(f"the form is {form}, not {choice}")
        if slot in pairs:
            raise TriptychError(f"{slot} is given twice, as {pairs[slot]} and as {value}")
        pairs[slot] = value
    return pairs


def run_export(choices: dict[str, str], force: bool, sources: dict[str, str] | None = None) -> None:
    """Export with one line of progress a model."""
    from export import runner

    repository_sources.lay_out(MODEL_REPOSITORY)
    with console.status("Looking at the models") as status:
        runner.export(MODEL_REPOSITORY, CACHE, choices, _reporting(status.update), force, sources)


def _engines() -> ModuleType:
    """Return what builds engines. It reads graphs, which a host that only serves cannot."""
    try:
        from export.tensorrt import engines
    except ModuleNotFoundError as error:
        raise TriptychError(f"to build engines, {error.name} is missing: pip install 'triptych[export]'") from error
    return engines


def _reporting(show: Callable[[str], None]) -> Callable[[str, str], None]:
    """Return a report of what is done with each model, by `show`, and when it is done, with the seconds, as a line."""
    started: dict[str, tuple[float, str]] = {}

    def report(name: str, doing: str) -> None:
        if doing != "ready":
            first, _ = started.get(name, (time.monotonic(), ""))
            started[name] = first, doing
            show(f"{doing.capitalize()} {name}")
        elif name in started:
            first, last = started[name]
            console.print(f"{'Built' if last == 'build' else 'Exported'} {name} in {time.monotonic() - first:.0f} s")

    return report
