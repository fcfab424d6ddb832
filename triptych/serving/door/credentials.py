"""Who may talk to the door: TLS, client certificates, a token. All of it is read from files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from triptych.errors import TriptychError

MIN_TOKEN_CHARACTERS = 16


@dataclass(frozen=True)
class Security:
    """PEM files and the file of the token; None: without. `client_ca` asks every client for a certificate of it."""

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    token_file: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise TriptychError("TLS needs both --tls-certificate and --tls-key")
        if self.client_ca and not self.certificate:
            raise TriptychError(
                "--tls-client-ca asks clients for certificates: it needs --tls-certificate and --tls-key"
            )

    def credentials(self) -> grpc.ServerCredentials | None:
        """Return gRPC's credentials; None for no TLS. TriptychError for a file that cannot be read, or is not PEM."""
        if self.certificate is None or self.key is None:
            return None
        self._check()
        roots = _read(self.client_ca) if self.client_ca else None
        pair = (_read(self.key), _read(self.certificate))
        return grpc.ssl_server_credentials([pair], roots, require_client_auth=roots is not None)

    def _check(self) -> None:
        """Raise TriptychError for files that are not what TLS needs: gRPC says of them that it cannot listen."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        files = f"{self.certificate} and {self.key}"
        try:
            context.load_cert_chain(*map(str, (self.certificate, self.key)), password=lambda: "")
            if self.client_ca:
                files = str(self.client_ca)
                context.load_verify_locations(files)
        except ssl.SSLError as error:
            raise TriptychError(
                f"{files} cannot be used for TLS ({error.reason or error}): certificates and keys are PEM files, "
                "without a password, and a key is that of its certificate"
            ) from error
        except OSError as error:
            raise TriptychError(f"cannot read {files}: {error.strerror or error}") from error

    def token(self) -> str | None:
        """Return the token that clients must send; TriptychError for one that is too short to be a secret."""
        if self.token_file is None:
            return None
        token = _read(self.token_file).decode("utf-8", "replace").strip()
        if len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable() or " " in token:
            raise TriptychError(
                f"the token in {self.token_file} must be at least {MIN_TOKEN_CHARACTERS} printable ASCII characters, "
                "without spaces. Make one: openssl rand -hex 32"
            )
        return token


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TriptychError(f"cannot read {file}: {error.strerror or error}") from error
