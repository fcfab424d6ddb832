"""What can go wrong with a call, as exceptions whose message says what to do about it."""

# ruff: noqa: N818  (the names are those of the conditions, as in gRPC)

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triptych_client.protocol import RETRY_AFTER_MS

if TYPE_CHECKING:
    from triptych_client.call import Call
    from triptych_client.peer import Peer

_WRAPPING = re.compile(r"^(\[request id: [^\]]*\] |in ensemble '[^']*', )+")
_QUEUE = re.compile(r"queue size|timeout expired|max_inflight", re.IGNORECASE)
_TOO_LARGE = re.compile(r"larger than max \((\d+) vs\. (\d+)\)")
_NO_CONNECTION = re.compile(r"failed to connect to all addresses|errors resolving|DNS resolution failed")
_NOBODY_LISTENS = re.compile(
    r"Failed to connect to remote host|Connection refused|errors resolving|DNS resolution failed|unix:.* connect failed"
)
_HUNG_UP = re.compile(r"failed to connect to all addresses.*(Socket closed|Connection reset|Broken pipe)")
_OTHER_SERVER = re.compile(r"unknown model|unexpected inference (input|output)|unknown service|Method not found")

_HANDSHAKES = (
    (
        re.compile(r"certificate has expired|certificate is not yet valid"),
        "the certificate of the server at {url} is out of date, or the clock of this machine is wrong",
    ),
    (
        re.compile(r"Hostname Verification Check failed|is not in peer certificate"),
        "the certificate of the server at {url} is for another name; ask the server by the name in its certificate",
    ),
    (
        re.compile(r"CERTIFICATE_VERIFY_FAILED"),
        "the certificate of the server at {url} is of an authority that is not trusted here; give the authority's "
        "PEM file as root_certificates (--root-certificates)",
    ),
    (
        re.compile(r"WRONG_VERSION_NUMBER"),
        "the server at {url} speaks no TLS; ask it without (no --tls, no PEM files), or serve it with a certificate",
    ),
    (
        re.compile(r"Failed to create security handshaker"),
        "the PEM files are not what TLS needs: certificates and a private key that belong together",
    ),
)
"""What gRPC says of a handshake that failed on this side, and what it means."""


class TriptychClientError(Exception):
    """A call failed. `reason` says why in words; `path` is the clip's, where one clip is the cause.

    `request_id` is what the server's log calls the request; None when none was made.
    """

    def __init__(self, reason: str, path: str | None = None, *, request_id: str | None = None) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path
        self.request_id = request_id


class InvalidClip(TriptychClientError):
    """The clip cannot be analysed: missing, unreadable, without any stream, or over a limit of the server."""


class InvalidRequest(TriptychClientError, ValueError):
    """What was asked for cannot be done, whatever the clip: an argument of the call is wrong."""


class _Passing(TriptychClientError):
    """What may be over soon: `retry_after_s` is the server's hint when to ask again, None when it gave none."""

    def __init__(
        self,
        reason: str,
        path: str | None = None,
        *,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(reason, path, request_id=request_id)
        self.retry_after_s = retry_after_s


class ServerBusy(_Passing):
    """The server's queues are full; the same call may succeed a little later, see `retry_after_s`."""


class Unavailable(_Passing):
    """No server answers at this address, or it is not ready; with `retry_after_s`, it is about to be."""


class Unauthenticated(TriptychClientError):
    """The server wants a token, or another one."""


class DeadlineExceeded(TriptychClientError):
    """The answer did not come in time."""


class Cancelled(TriptychClientError):
    """The call was given up before its answer came, as when the client is closed meanwhile.

    With asyncio, whoever cancels a task or closes its client sees asyncio.CancelledError instead.
    """


class ForeignClient(TriptychClientError):
    """The client was made in another process (before a fork), or in another event loop; it cannot be used here."""


class FolderInUse(TriptychClientError):
    """Another run writes its answers into the same folder."""


class SharedMemoryRefused(TriptychClientError):
    """The server takes no clip in memory from here. The client sends the clip instead: no caller sees this."""


class ServerError(TriptychClientError):
    """The server failed at something that is not the caller's fault."""


def from_rpc(error: Any, peer: Peer, call: Call) -> TriptychClientError:
    """Return the exception that stands for a grpc.RpcError: by its status, and where that is ambiguous by its words.

    Triton answers UNAVAILABLE both when a queue is full and when it cannot serve; gRPC also when nobody listens.
    RESOURCE_EXHAUSTED is a full queue, and to gRPC a message that is too large.
    """
    status, details = error.code().name, error.details()
    words = unwrapped(details or "no reason given")
    request_id = call.request_id
    if _OTHER_SERVER.search(words) or (status == "UNIMPLEMENTED" and "parameter" not in words):
        reason = f"the server at {peer.url} is no Triptych of this client's version: {words}"
        return ServerError(reason, request_id=request_id)
    if status == "INVALID_ARGUMENT":
        return InvalidClip(words, call.path, request_id=request_id)
    if status == "FAILED_PRECONDITION":
        return SharedMemoryRefused(words, call.path, request_id=request_id)
    if status == "UNIMPLEMENTED":
        return InvalidRequest(words, request_id=request_id)
    if status == "UNAUTHENTICATED":
        return Unauthenticated(_wanted_token(peer), request_id=request_id)
    if status == "CANCELLED":
        return Cancelled("the call was cancelled before its answer came", call.path, request_id=request_id)
    if status == "DEADLINE_EXCEEDED":
        reason = f"no answer within {call.deadline.timeout_s:g} s; allow more time or send fewer clips at once"
        return DeadlineExceeded(reason, call.path, request_id=request_id)
    if status == "RESOURCE_EXHAUSTED" and (sizes := _TOO_LARGE.search(words)):
        return InvalidClip(_too_large(peer, *map(int, sizes.groups())), call.path, request_id=request_id)
    if status in ("RESOURCE_EXHAUSTED", "UNAVAILABLE"):
        return _passing(status, words, _retry_after_s(error), peer, call)
    reason = f"the server at {peer.url} failed: {words} (request id {request_id})"
    return ServerError(reason, call.path, request_id=request_id)


def unwrapped(message: str) -> str:
    """Return a message of Triton without the request id and the names of the ensembles that it came through."""
    return _WRAPPING.sub("", message).strip()


def _retry_after_s(error: Any) -> float | None:
    """Return the server's hint when to ask again, as gRPC's retries read it (A6 of gRPC's proposals); None: not said.

    A negative number says: not at all.
    """
    hint = dict(error.trailing_metadata() or ()).get(RETRY_AFTER_MS, "")
    return int(hint) / 1000 if hint.isdecimal() else None


def _passing(status: str, words: str, retry_after_s: float | None, peer: Peer, call: Call) -> ServerBusy | Unavailable:
    later = "a few seconds" if retry_after_s is None else f"{retry_after_s:g} s"
    if status == "RESOURCE_EXHAUSTED" or _QUEUE.search(words):
        reason = f"the server is busy ({words}); try again in {later}, or send fewer clips at once"
        return ServerBusy(reason, call.path, request_id=call.request_id, retry_after_s=retry_after_s)
    if retry_after_s is not None:
        reason = f"the server at {peer.url} is not ready ({words}); try again in {later}"
    else:
        reason = _no_answer(words, peer, call)
    return Unavailable(reason, request_id=call.request_id, retry_after_s=retry_after_s)


def _no_answer(words: str, peer: Peer, call: Call) -> str:
    for said, meaning in _HANDSHAKES:
        if said.search(words):
            return meaning.format(url=peer.url)
    if peer.proxy and _NO_CONNECTION.search(words):
        return (
            f"no connection to {peer.url} through the proxy {peer.proxy} of the environment ({words}); put the host "
            "into no_proxy, unless it can be reached by that proxy only"
        )
    if _NOBODY_LISTENS.search(words):
        return f"no server at {peer.url}; start one with `triptych serve`"
    if _HUNG_UP.search(words):
        return f"the server at {peer.url} takes no connection like this one: {_hung_up(peer)}"
    return f"the server at {peer.url} cannot answer ({words}); see whether it is ready (request id {call.request_id})"


def _hung_up(peer: Peer) -> str:
    """Return why a server may end a connection without a word: it sends its reasons to nobody whom it does not know."""
    if not peer.secure:
        return "see whether it wants TLS (ssl=True, --tls)"
    if peer.has_certificate:
        return "see whether it trusts the client's certificate, and whether that has expired"
    return "see whether it wants a certificate of the client (private_key and certificate_chain)"


def _wanted_token(peer: Peer) -> str:
    if peer.has_token:
        return f"the server at {peer.url} does not accept the token"
    return f"the server at {peer.url} wants a token; give it as token=, by --token-file or in TRIPTYCH_TOKEN"


def _too_large(peer: Peer, size: int, limit: int) -> str:
    return (
        f"the clip is a message of {mebibytes(size)}; the server at {peer.url} takes at most {mebibytes(limit)}. "
        "Compress it, or cut it into parts"
    )


def mebibytes(size: int) -> str:
    """Return a number of bytes in words."""
    return f"{size / (1 << 20):.4g} MiB"
