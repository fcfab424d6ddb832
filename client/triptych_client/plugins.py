"""Commands of `triptych` that other packages bring, as entry points of the group `triptych.commands`.

An entry point is named as its command, and is a function with typer's annotations, or a Typer of several. It is
imported when its command is asked for, or when the help lists it.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from triptych_client import __version__

GROUP = "triptych.commands"
SERVER_COMMANDS = {
    "demo": "Analyse a demo clip with everything on this machine.",
    "serve": "Start the server.",
    "export": "Fetch the models and write them into the model repository.",
    "models": "List what each channel can be, and what is exported.",
    "train": "Train a channel on data of your own.",
    "doctor": "Check that this machine can run the server.",
    "bundle": "Write what serving needs into a folder, for a host without a network.",
    "adapt": "Adapt channels to unlabelled footage of your own.",
    "swap": "Exchange a channel's model in the running server.",
    "capacity": "Turn a day's clips into servers, memory and money.",
}
"""Commands of the server's package: known, and explained, where it is not installed."""
INSTALL = (
    "pip install '.[export,demo]' in a checkout of Triptych, or "
    f"pip install './triptych-{__version__}-py3-none-any.whl[export,demo]' beside its wheel"
)
"""Names no package index: none has it."""


class Commands(TyperGroup):
    """The commands of this package, and those of whoever else is installed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the help."""
        return [*super().list_commands(ctx), *(SERVER_COMMANDS | installed())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by name: own, installed, or the hint how to install it; None for an unknown one."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        entry = installed().get(cmd_name)
        if entry is not None:
            return _command(cmd_name, entry.load())
        return _command(cmd_name, _missing(cmd_name), **ANY_ARGUMENTS) if cmd_name in SERVER_COMMANDS else None


ANY_ARGUMENTS: dict[str, Any] = {
    "context_settings": {"ignore_unknown_options": True, "allow_extra_args": True},
    "add_help_option": False,
}


def installed() -> dict[str, EntryPoint]:
    """Return the entry points of the group by name."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _command(name: str, function: Any, **settings: Any) -> Any:
    if isinstance(function, typer.Typer):
        group = typer.main.get_command(function)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(name, **settings)(function)
    return typer.main.get_command(alone)


def _missing(name: str) -> Any:
    def explain() -> None:
        typer.secho(f"`triptych {name}` needs the server package: {INSTALL}", fg="red", err=True)
        raise typer.Exit(2)

    explain.__doc__ = f"{SERVER_COMMANDS[name]} Needs the server package."
    return explain
