"""The options by which every command reaches a server, once for all of them, and the client that they make."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triptych_client.characters import printable
from triptych_client.errors import TriptychClientError
from triptych_client.peer import DEFAULT_URL

if TYPE_CHECKING:
    from triptych_client.client import Client

TOKEN_VARIABLE = "TRIPTYCH_TOKEN"

PARAMETER = "server"
"""How a command calls its parameter of the type `Server`."""


@dataclass(frozen=True)
class Server:
    """How a server is reached: each field is an option of every command that asks one."""

    url: Annotated[
        str,
        typer.Option(
            help="host:port of the server's gRPC service (of several: with commas), [address]:port or unix:PATH."
        ),
    ] = DEFAULT_URL
    tls: Annotated[bool, typer.Option("--tls", help="Encrypt; implied by any PEM file.")] = False
    root_certificates: Annotated[Path | None, typer.Option(help="PEM file: whom to trust.")] = None
    private_key: Annotated[Path | None, typer.Option(help="PEM file: the client's key.")] = None
    certificate_chain: Annotated[Path | None, typer.Option(help="PEM file: the client's certificate.")] = None
    token_file: Annotated[
        Path | None, typer.Option(help=f"File with the server's token; else {TOKEN_VARIABLE} has it.")
    ] = None
    allow_plaintext_token: Annotated[
        bool, typer.Option("--allow-plaintext-token", help="Send the token without TLS, to another machine too.")
    ] = False
    metadata: Annotated[list[str] | None, typer.Option(help="NAME=VALUE sent with every call; may be given again.")] = (
        None
    )
    shared_memory: Annotated[
        bool,
        typer.Option("--shared-memory", help="Hand clips over in memory, unsent, where a server on this host lets it."),
    ] = False

    def client(self, timeout_s: float) -> Client:
        """Return a client; gRPC is imported here, for its own log on standard error is switched off before that."""
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from triptych_client.client import Client

        return Client(**self.arguments(timeout_s))

    def arguments(self, timeout_s: float) -> dict[str, Any]:
        """Return the arguments of a client, for one that is made elsewhere."""
        return {
            "url": self.url,
            "timeout_s": timeout_s,
            "ssl": self.tls,
            "root_certificates": self.root_certificates,
            "private_key": self.private_key,
            "certificate_chain": self.certificate_chain,
            "token": _token(self.token_file),
            "allow_plaintext_token": self.allow_plaintext_token,
            "metadata": _metadata(self.metadata or []),
            "shared_memory": self.shared_memory,
        }


def reaching(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options of `Server` in the place of its parameter `server`, as typer reads them.

    An option that the command has itself stays as it has it.
    """
    own = inspect.signature(command, eval_str=True)
    options = {
        name: option
        for name, option in inspect.signature(Server, eval_str=True).parameters.items()
        if name not in own.parameters
    }

    @wraps(command)
    def run(**given: Any) -> None:
        server = Server(**{name: given.pop(name) for name in options})
        command(**given, **{PARAMETER: server})

    parameters: list[inspect.Parameter] = []
    for name, parameter in own.parameters.items():
        parameters += options.values() if name == PARAMETER else [parameter]
    keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in keyword}
    run.__dict__["__signature__"] = own.replace(parameters=keyword)
    return run


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
