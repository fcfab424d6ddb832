"""One clip as a request to Triton, and the response as an Analysis: what the two clients share."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from tritonclient.grpc import InferResult

from triptych_client import contract, decode, wire
from triptych_client.errors import InvalidClip, InvalidRequest, ServerError, TriptychClientError, mebibytes
from triptych_client.results import Analysis
from triptych_client.shared_memory import LEAST_BYTES, SharedClip

ClipSource = str | os.PathLike[str] | bytes | BinaryIO
"""A clip: the path of a media file, its bytes, or a binary file object."""

MAX_REQUEST_BYTES = (1 << 31) - (1 << 20)
"""A protobuf message holds at most 2 GiB; a little is left for what is around the clip. The server's limit is lower."""

PIECE_BYTES = 64 << 20
"""So much is asked of a file at once: a reader may set room aside for all that it is asked for."""
SHARED_PIECE_BYTES = 1 << 20
"""So much on its way into memory that is shared: it stays in the processor's cache."""


@dataclass(frozen=True)
class Ask:
    """What is asked about a clip; InvalidRequest for what cannot be.

    `task` is one of contract.TASKS, `language` an ISO 639-1 code or None to have it recognised.
    """

    task: str = "transcribe"
    language: str | None = None
    embeddings: bool = False
    looks: bool = False
    """How people look, for joining the windows of a film; a server that is older cannot be asked."""

    def __post_init__(self) -> None:
        if self.task not in contract.TASKS:
            raise InvalidRequest(f"task is {self.task!r}; it can be {' or '.join(contract.TASKS)}")
        if not isinstance(self.language, str | None):
            raise InvalidRequest(
                f"language is {self.language!r}; it is a code such as 'en', or None to have it recognised"
            )

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the request."""
        return {"task": self.task, **({"language": self.language} if self.language else {})}

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the tensors that the answer is made of."""
        wanted = [*contract.ANSWER]
        wanted += contract.EMBEDDINGS if self.embeddings else ()
        wanted += contract.LOOKS if self.looks else ()
        return tuple(tensor.name for tensor in wanted)


@dataclass(frozen=True)
class Request:
    """A clip that is ready to be sent, with what is asked about it: `message` is a ModelInferRequest, serialised.

    `memory` holds the clip where the message only refers to it; `close` lets it go, after the answer.
    """

    path: str | None
    outputs: tuple[str, ...]
    message: bytes = field(repr=False)
    memory: SharedClip | None = None

    def in_full(self) -> bytes:
        """Return the message with the clip in it."""
        return wire.in_full(self.message, self.memory.read()) if self.memory is not None else self.message

    def close(self) -> None:
        """Let the memory go that the message refers to."""
        if self.memory is not None:
            self.memory.close()

    def analysis(self, response: Any, triton_version: str) -> Analysis:
        """Return the answer that a ModelInferResponse holds; ServerError for one that is not the contract's."""
        result = InferResult(response)
        arrays: dict[str, Any] = {name: result.as_numpy(name) for name in self.outputs}
        try:
            return decode.analysis(arrays, self.path, triton_version)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ServerError(
                f"the server's answer is not one of this client's version ({error}): give both the same", self.path
            ) from error


def check(clip: ClipSource) -> None:
    """Look at a clip without reading it; InvalidClip when one sees already that there is nothing to analyse."""
    path = path_of(clip)
    with _explained(path):
        if isinstance(clip, (str, os.PathLike)):
            _check_file(os.fsdecode(clip))
        elif not isinstance(clip, (bytes, bytearray, memoryview)) and not hasattr(clip, "read"):
            kind = type(clip).__name__
            raise TypeError(f"a clip is a path, bytes or a binary file object, and this is of type {kind}")
        if _size(clip) == 0:
            raise InvalidClip("the clip is empty (0 bytes)", path)


def prepare(
    clip: ClipSource,
    ask: Ask | None = None,
    limit_bytes: int | None = None,
    request_id: str = "",
    *,
    shared: bool = False,
) -> Request:
    """Read a clip, but no more of it than the server takes, and say what is asked about it.

    `limit_bytes` is the server's limit; None: only that of one message holds. InvalidClip when the clip cannot be read,
    is empty or is too large. The clip is held once: inside the message, or with `shared`, unless it is small or a file
    object, in memory that the server can open.
    """
    ask = ask or Ask()
    check(clip)
    path = path_of(clip)
    limit = min(limit_bytes or MAX_REQUEST_BYTES, MAX_REQUEST_BYTES)
    with _explained(path):
        _check_size(_size(clip) or 0, limit, path)
        in_memory = shared and (_size(clip) or 0) >= LEAST_BYTES
        data = SharedClip(_pieces(clip, limit, SHARED_PIECE_BYTES)) if in_memory else _read(clip, limit)
    if len(data) == 0:
        raise InvalidClip("the clip is empty (0 bytes)", path)
    _check_size(len(data), limit, path)
    message = wire.infer_request(contract.ENSEMBLE, request_id, ask.parameters, contract.VIDEO, data, ask.outputs)
    return Request(path, ask.outputs, message, data if isinstance(data, SharedClip) else None)


def path_of(clip: ClipSource) -> str | None:
    """Return the path that a clip is known by; None for bytes and nameless file objects."""
    if isinstance(clip, (str, os.PathLike)):
        return os.fsdecode(clip)
    name = getattr(clip, "name", None)
    return name if isinstance(name, str) else None


@contextmanager
def _explained(path: str | None) -> Iterator[None]:
    """Make whatever goes wrong in reading a clip its failure: a file object of the caller may raise anything."""
    try:
        yield
    except TriptychClientError:
        raise
    except Exception as error:
        words = error.strerror if isinstance(error, OSError) else None
        raise InvalidClip(f"cannot be read: {words or str(error) or type(error).__name__}", path) from error


def _check_file(path: str) -> None:
    if not path:
        raise InvalidClip("the path of the clip is empty")
    if stat.S_ISDIR(Path(path).stat().st_mode):
        raise InvalidClip("this is a folder, not a media file", path)


def _size(clip: ClipSource) -> int | None:
    """Return the bytes of a clip as far as they are known without reading it; pipes and file objects do not say."""
    if isinstance(clip, (bytes, bytearray, memoryview)):
        return memoryview(clip).nbytes
    if isinstance(clip, (str, os.PathLike)):
        status = Path(os.fsdecode(clip)).stat()
        return status.st_size if stat.S_ISREG(status.st_mode) else None
    return None


def _read(clip: ClipSource, limit: int) -> bytes:
    """Return the bytes of a clip, or one more than the limit of a clip that has more."""
    return b"".join(_pieces(clip, limit, PIECE_BYTES))


def _pieces(clip: ClipSource, limit: int, most: int) -> Iterator[bytes]:
    """Yield what `_read` returns in pieces; of a file, of so many bytes at most."""
    if isinstance(clip, (bytes, bytearray, memoryview)):
        yield bytes(clip)
    elif isinstance(clip, (str, os.PathLike)):
        with Path(os.fsdecode(clip)).open("rb") as file:
            yield from _pieces_of_object(file, limit, most)
    else:
        yield from _pieces_of_object(clip, limit, most)


def _pieces_of_object(clip: BinaryIO, limit: int, most: int) -> Iterator[bytes]:
    left = limit + 1
    while left > 0:
        piece = clip.read(min(left, most))
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            raise TypeError(f"read() gave {type(piece).__name__}, not bytes; open the file with mode 'rb'")
        if not piece:
            break
        left -= len(piece)
        yield bytes(piece)


def _check_size(size: int, limit: int, path: str | None) -> None:
    if size <= limit:
        return
    if limit == MAX_REQUEST_BYTES:
        raise InvalidClip(f"the clip is {size / (1 << 30):.1f} GiB; one request carries less than 2 GiB", path)
    raise InvalidClip(
        f"the file is {'more than ' if size == limit + 1 else ''}{mebibytes(size)}; the limit is {mebibytes(limit)} "
        "(TRIPTYCH_MAX_MEBIBYTES on the server). Compress it, or cut it into parts",
        path,
    )
