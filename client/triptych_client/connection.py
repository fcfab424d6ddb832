"""Where the server is and how to reach it: what the two clients have in common."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from tritonclient.utils import InferenceServerException

from triptych_client.errors import InvalidRequest, TriptychClientError, from_triton

DEFAULT_URL = "localhost:8001"
DEFAULT_TIMEOUT_S = 300.0

LOOK_AHEAD = 4
"""`map` works on so many clips for each of `concurrency` while it waits for the outcome whose turn it is."""

PemFile = str | os.PathLike[str]


@dataclass(frozen=True)
class Deadline:
    """Until when a call waits, over all the requests that it makes."""

    timeout_s: float
    end_s: float

    @classmethod
    def after(cls, timeout_s: float) -> Deadline:
        """Return the deadline of a call that begins now; InvalidRequest unless the time is positive."""
        if not timeout_s > 0:
            raise InvalidRequest(f"timeout_s is {timeout_s!r}; it must be a positive number of seconds")
        return cls(timeout_s, time.monotonic() + timeout_s)

    @property
    def left_s(self) -> float:
        """The seconds that are left, 0 when there are none."""
        return max(self.end_s - time.monotonic(), 0.0)


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

    def _deadline(self, timeout_s: float | None = None) -> Deadline:
        return Deadline.after(self.timeout_s if timeout_s is None else timeout_s)

    @contextmanager
    def _errors(self, path: str | None, deadline: Deadline) -> Iterator[None]:
        """Turn Triton's exceptions inside the block into those of `errors`."""
        try:
            yield
        except InferenceServerException as error:
            raise from_triton(error, self.url, path, deadline.timeout_s) from None


def _pem(file: PemFile | None) -> bytes | None:
    if file is None:
        return None
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise TriptychClientError(f"cannot be read: {error.strerror or error}", os.fspath(file)) from None
