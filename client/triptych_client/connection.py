"""Where the server is and how to reach it: what the two clients have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from tritonclient.utils import InferenceServerException

from triptych_client.errors import TriptychClientError, from_triton

DEFAULT_URL = "localhost:8001"
DEFAULT_TIMEOUT_S = 300.0

PemFile = str | os.PathLike[str]


class Connection(ABC):
    """A connection to a Triptych server.

    `url` is host:port of Triton's gRPC service, `timeout_s` how long one answer may take. `ssl`, or any of the PEM
    files, turns TLS on. Nothing is sent before the first call. TriptychClientError when a PEM file cannot be read.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        ssl: bool = False,
        root_certificates: PemFile | None = None,
        private_key: PemFile | None = None,
        certificate_chain: PemFile | None = None,
    ) -> None:
        self.url = url
        self.timeout_s = timeout_s
        files = (root_certificates, private_key, certificate_chain)
        secure = ssl or any(files)
        self._triton = self._connect(grpc.ssl_channel_credentials(*map(_pem, files)) if secure else None)
        self._version: str | None = None

    @abstractmethod
    def _connect(self, credentials: grpc.ChannelCredentials | None) -> Any:
        """Return tritonclient's client; without credentials there is no TLS."""

    def _deadline(self, timeout_s: float | None) -> float:
        return self.timeout_s if timeout_s is None else timeout_s

    @contextmanager
    def _errors(self, path: str | None, timeout_s: float) -> Iterator[None]:
        """Turn Triton's exceptions inside the block into those of `errors`."""
        try:
            yield
        except InferenceServerException as error:
            raise from_triton(error, self.url, path, timeout_s) from None


def _pem(file: PemFile | None) -> bytes | None:
    if file is None:
        return None
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise TriptychClientError(f"cannot be read: {error.strerror or error}", os.fspath(file)) from None
