"""The options by which every command reaches a server, and the client that they make."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triptych_client.characters import printable
from triptych_client.errors import TriptychClientError

if TYPE_CHECKING:
    from triptych_client.client import Client

TOKEN_VARIABLE = "TRIPTYCH_TOKEN"

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


def connected(
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

    secrets = (tls, root_certificates, private_key, certificate_chain, token_file, allow_plaintext_token, metadata)
    return Client(**arguments(url, timeout_s, *secrets))


def arguments(
    url: str,
    timeout_s: float,
    tls: bool,
    root_certificates: Path | None,
    private_key: Path | None,
    certificate_chain: Path | None,
    token_file: Path | None,
    allow_plaintext_token: bool,
    metadata: list[str] | None,
) -> dict[str, Any]:
    """Return the arguments of a client, for one that is made elsewhere."""
    return {
        "url": url,
        "timeout_s": timeout_s,
        "ssl": tls,
        "root_certificates": root_certificates,
        "private_key": private_key,
        "certificate_chain": certificate_chain,
        "token": _token(token_file),
        "allow_plaintext_token": allow_plaintext_token,
        "metadata": _metadata(metadata or []),
    }


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
