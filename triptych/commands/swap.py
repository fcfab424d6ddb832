"""`triptych swap`: another model in a slot of a running server, taken back by itself when it does not answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from triptych.errors import TriptychError
from triptych.paths import CACHE, MODEL_REPOSITORY


def swap(
    choices: Annotated[list[str], typer.Argument(help="CHANNEL=MODEL, as in face=cnn-time.", metavar="CHANNEL=MODEL")],
    sources: Annotated[
        list[str] | None,
        typer.Option("--source", help="CHANNEL=dir:PATH or CHANNEL=hub:NAME: the checkpoint of a published model."),
    ] = None,
    repository: Annotated[Path, typer.Option(help="The model repository that is being served.")] = MODEL_REPOSITORY,
) -> None:
    """Exchange a channel's model in the running server, while clips go on being answered.

    The model is exported beside, loaded, and asked a canary clip; if that fails, the one before is back.
    """
    from export.swapping import exported_beside, put_in_place
    from triptych.commands.cli import parse_choices
    from triptych.serving import control

    wanted = parse_choices(choices, "CHANNEL=MODEL")
    origins = parse_choices(sources or (), "--source CHANNEL=dir:PATH or CHANNEL=hub:NAME")
    socket, console = control.find(repository), Console(stderr=True)
    with console.status("Looking at the models") as status:

        def report(name: str, doing: str) -> None:
            status.update(f"{doing.capitalize()} {name}")

        with exported_beside(repository, CACHE, wanted, origins, report) as beside:
            if not beside.steps:
                typer.echo("The server has that already.")
                return
            status.update(f"Exchanging {', '.join(beside.steps)}")
            outcome = asyncio.run(control.ask_to_swap(socket, beside.repository, beside.steps))
            if outcome.reason:
                raise TriptychError(
                    f"taken back, since the new model failed: {outcome.reason}. The server answers with what it had; "
                    f"{repository} is as it was"
                )
            put_in_place(beside, repository, CACHE, wanted, origins)
    typer.echo(f"Exchanged {', '.join(beside.steps)}; clips that came meanwhile waited for {outcome.seconds:.1f} s.")
