"""Where the server is and how to reach it: what the two clients have in common."""

from __future__ import annotations

import json
import logging
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from triptych_client import shared_memory, tracing, wire
from triptych_client.call import DEFAULT_TIMEOUT_S, Call, Deadline, request_id
from triptych_client.errors import ForeignClient, InvalidRequest, SharedMemoryRefused, TriptychClientError, from_rpc
from triptych_client.peer import DEFAULT_URL, Peer, several
from triptych_client.protocol import CLIP_LIMIT, REQUEST_ID, SECONDS_LIMIT, SHARED_MEMORY
from triptych_client.request import Request

LOOK_AHEAD = 4
"""`map` works on so many clips for each of `concurrency` while it waits for the outcome whose turn it is."""

LOG = logging.getLogger("triptych_client")

PemFile = str | os.PathLike[str]
Options = list[tuple[str, Any]]

_TOKEN = re.compile(r"[\x21-\x7e]+")
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]+)?")
_KEY = re.compile(r"[a-z0-9_.-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")
_OWN_KEYS = frozenset({"authorization", REQUEST_ID, "traceparent", "tracestate"})
"""What calls carry already; and gRPC keeps `grpc-` for itself."""

RETRY_ONCE = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 2,
                "initialBackoff": "0.2s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
"""gRPC's service config: a call that met no server, or lost it, is made once more; an analysis changes nothing there.

A server's hint (`protocol.RETRY_AFTER_MS`) sets the time of it, or forbids it.
"""

TAKE_TURNS = {"loadBalancingConfig": [{"round_robin": {}}]}
"""For targets with a scheme, as dns:///NAME:PORT of a headless Service of Kubernetes: the addresses take turns."""
SCHEMES = ("dns:", "ipv4:", "ipv6:")

COME_BACK = [("grpc.initial_reconnect_backoff_ms", 500), ("grpc.max_reconnect_backoff_ms", 3000)]
"""A server that is back is met within 5 s: gRPC looks again after 3 s and a fifth at most, where it would after 120."""
LONGEST_CONNECT = ("grpc.min_reconnect_backoff_ms", 4000)
"""And gives an address that says nothing 4 s, not 20 (doc/connection-backoff.md of gRPC)."""

LONGEST_MESSAGE = (1 << 31) - 1
"""Bytes; a signed 32-bit number in gRPC. A message above grpc.per_rpc_retry_buffer_size would not be sent again."""


@dataclass(frozen=True)
class Limits:
    """What the server accepts; None where it does not say, as a Triton that is asked directly."""

    max_clip_bytes: int | None
    max_seconds: float | None = None


@dataclass(frozen=True)
class ServerFacts:
    """What a server says of itself."""

    triton_version: str
    limits: Limits
    shares_memory: bool = False
    """Clients on its host may hand clips over in memory."""

    @classmethod
    def of(cls, metadata: Any) -> ServerFacts:
        """Return what a ServerMetadataResponse says; an entry that cannot be read counts as not said."""
        size, seconds = (_number(metadata.extensions, entry) for entry in (CLIP_LIMIT, SECONDS_LIMIT))
        limits = Limits(None if size is None else int(size), seconds)
        return cls(metadata.version, limits, SHARED_MEMORY in metadata.extensions)


def _number(entries: Iterable[str], name: str) -> float | None:
    """Return the number behind an entry's name; None where it is not there, or is none."""
    told = (entry.removeprefix(name) for entry in entries if entry.startswith(name))
    return next((float(number) for number in told if _NUMBER.fullmatch(number)), None)


class Connection(ABC):
    """A connection to a Triptych server.

    `url` is host:port of the server's gRPC service, [address]:port for IPv6, or unix:PATH; with dns:///host:port the
    servers behind that name take turns, and so do several with commas between. `timeout_s`: how long one answer may
    take. `ssl`, or any of the PEM files, turns TLS on. `token` is sent with every call; without TLS only to this
    machine, or with `allow_plaintext_token`. `metadata` are further entries of each call, by lower-case name.
    With `shared_memory` a server on this host gets large clips in memory; where it takes none so, a log line says why.

    Nothing is sent before the first call. TriptychClientError when a PEM file cannot be read, InvalidRequest for a
    token or metadata that cannot be sent. A client belongs to the process it was made in: ForeignClient after a fork.
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
        token: str | None = None,
        allow_plaintext_token: bool = False,
        metadata: Mapping[str, str] | None = None,
        shared_memory: bool = False,
    ) -> None:
        self.url = url
        self.timeout_s = timeout_s
        files = (root_certificates, private_key, certificate_chain)
        secure = ssl or any(files)
        self._peer = Peer(url, secure, certificate_chain is not None, token is not None)
        self._metadata = {**_extra(metadata or {}), **_authorization(token, self._peer, allow_plaintext_token)}
        self._process = os.getpid()
        self._target = several(url, secure)
        credentials = grpc.ssl_channel_credentials(*map(_pem, files)) if secure else None
        self._channel = self._connect(credentials, _options(self._peer))
        self._server_metadata = wire.server_metadata(self._channel)
        self._model_infer = wire.model_infer(self._channel)
        self._server: ServerFacts | None = None
        self._shared_memory = shared_memory

    @abstractmethod
    def _connect(self, credentials: grpc.ChannelCredentials | None, options: Options) -> Any:
        """Return gRPC's channel; without credentials there is no TLS."""

    def _call(
        self,
        path: str | None = None,
        timeout_s: float | None = None,
        given_id: str | None = None,
        waits: int = 0,
    ) -> Call:
        """Return a call that begins now; InvalidRequest for a time that is not positive or an id that is none."""
        self._check_home()
        id_ = request_id(given_id)
        metadata = {**tracing.context(), **self._metadata, REQUEST_ID: id_}
        deadline = Deadline.after(self.timeout_s if timeout_s is None else timeout_s)
        return Call(deadline, id_, path, tuple(metadata.items()), waits)

    def _check_home(self) -> None:
        """Raise ForeignClient in another process than the client was made in: gRPC's threads do not come along."""
        if os.getpid() != self._process:
            raise ForeignClient(
                f"this client was made in process {self._process}, and a fork of it ({os.getpid()}) cannot use it: "
                "make a client in each process, after the fork"
            )

    def _shares_memory(self, server: ServerFacts) -> bool:
        """Tell whether clips are handed over in memory; when that was asked for and cannot be, say why, once."""
        if self._shared_memory and (reason := _why_sent(self._peer, server)):
            self._send_from_now_on(reason)
        return self._shared_memory

    def _in_full(self, request: Request, refusal: SharedMemoryRefused) -> bytes:
        """Return a request with the clip in it, whose memory the server has refused; the refusal where it has none."""
        if request.memory is None:
            raise refusal
        self._send_from_now_on(refusal.reason)
        return request.in_full()

    def _send_from_now_on(self, reason: str) -> None:
        if self._shared_memory:
            LOG.warning("clips are sent, not handed over in memory: %s", reason)
        self._shared_memory = False

    @contextmanager
    def _errors(self, call: Call) -> Iterator[None]:
        """Turn gRPC's exceptions inside the block into those of `errors`."""
        try:
            yield
        except grpc.RpcError as error:
            raise from_rpc(error, self._peer, call) from None


def of_one(options: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    """Return the options for one clip of many: to an id that the caller gave, the clip's number is added."""
    given = options.get("request_id")
    return options if given is None else {**options, "request_id": f"{given}-{index}"}


def _options(peer: Peer) -> Options:
    turns = peer.url.startswith(SCHEMES) or "," in peer.url
    service_config = {**RETRY_ONCE, **(TAKE_TURNS if turns else {})}
    options: Options = [
        ("grpc.max_send_message_length", LONGEST_MESSAGE),
        ("grpc.max_receive_message_length", LONGEST_MESSAGE),
        ("grpc.service_config", json.dumps(service_config)),
        ("grpc.per_rpc_retry_buffer_size", LONGEST_MESSAGE),
        *COME_BACK,
        LONGEST_CONNECT,
    ]
    # A proxy is for other machines; gRPC would ask it for localhost too, unless no_proxy says so.
    return [*options, ("grpc.enable_http_proxy", 0)] if peer.local else options


def _why_sent(peer: Peer, server: ServerFacts) -> str:
    """Return why clips cannot be handed over in memory; "" when it can be tried."""
    if not shared_memory.is_possible():
        return "this system has no memory that two processes share by a descriptor"
    if not peer.local:
        return f"the server at {peer.url} is another machine's"
    if not server.shares_memory:
        return f"the server at {peer.url} does not take them so (triptych serve --client-shared-memory)"
    return ""


def _extra(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return metadata of the caller; InvalidRequest for what gRPC does not send, or what is sent already."""
    for name, value in metadata.items():
        if not _KEY.fullmatch(name) or name in _OWN_KEYS or name.startswith("grpc-") or name.endswith("-bin"):
            raise InvalidRequest(
                f"metadata cannot be called {name!r}: lower-case letters, digits, _ . -, and none of the client's own"
            )
        if not _VALUE.fullmatch(value):
            raise InvalidRequest(f"the value of the metadata {name} has characters other than visible ASCII and spaces")
    return dict(metadata)


def _authorization(token: str | None, peer: Peer, plaintext_allowed: bool) -> dict[str, str]:
    """Return the metadata that carries a token; InvalidRequest, without the token, when it cannot be sent."""
    if token is None:
        return {}
    if not _TOKEN.fullmatch(token):
        raise InvalidRequest("the token is empty, or has characters other than visible ASCII, such as spaces")
    if not (peer.secure or peer.local or plaintext_allowed):
        raise InvalidRequest(
            f"a token for {peer.url} would travel in plain text, readable on its way: use TLS (ssl=True, --tls), or "
            "allow_plaintext_token=True (--allow-plaintext-token) in a network where that is no matter"
        )
    return {"authorization": f"Bearer {token}"}


def _pem(file: PemFile | None) -> bytes | None:
    if file is None:
        return None
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise TriptychClientError(f"cannot be read: {error.strerror or error}", os.fspath(file)) from None
