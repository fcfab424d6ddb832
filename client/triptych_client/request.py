"""One clip as a request to Triton, and the response as an Analysis: what the two clients share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult

from triptych_client import contract, decode
from triptych_client.errors import InvalidClip, InvalidRequest, TriptychClientError
from triptych_client.results import Analysis

ClipSource = str | os.PathLike[str] | bytes | BinaryIO
"""A clip: the path of a media file, its bytes, or a binary file object."""

MAX_REQUEST_BYTES = (1 << 31) - (1 << 20)
"""A protobuf message holds at most 2 GiB; a little is left for what is around the clip. The server's limit is lower."""


@dataclass(frozen=True)
class Request:
    """A clip that is ready to be sent, with what is asked about it."""

    path: str | None
    video: np.ndarray
    parameters: dict[str, str]
    outputs: tuple[str, ...]

    def arguments(self, timeout_s: float) -> dict[str, Any]:
        """Return the keyword arguments of tritonclient's `infer`."""
        tensor = contract.VIDEO
        video = InferInput(tensor.name, list(self.video.shape), tensor.dtype).set_data_from_numpy(self.video)
        return {
            "model_name": contract.ENSEMBLE,
            "inputs": [video],
            "outputs": [InferRequestedOutput(name) for name in self.outputs],
            "parameters": self.parameters,
            "client_timeout": timeout_s,
        }

    def analysis(self, result: InferResult, triton_version: str) -> Analysis:
        """Return the answer that Triton's response holds."""
        arrays: dict[str, Any] = {name: result.as_numpy(name) for name in self.outputs}
        return decode.analysis(arrays, self.path, triton_version)


def prepare(
    clip: ClipSource, *, task: str = "transcribe", language: str | None = None, embeddings: bool = False
) -> Request:
    """Read a clip and say what is asked about it.

    `task` is one of contract.TASKS, `language` an ISO 639-1 code or None to have it recognised. InvalidClip when the
    clip cannot be read, is empty or is too large for one request; InvalidRequest for another task or no language.
    """
    if task not in contract.TASKS:
        raise InvalidRequest(f"task is {task!r}; it can be {' or '.join(contract.TASKS)}")
    if not isinstance(language, str | None):
        raise InvalidRequest(f"language is {language!r}; it is a code such as 'en', or None to have it recognised")
    path = path_of(clip)
    tensors = (*contract.ANSWER, *(contract.EMBEDDINGS if embeddings else ()))
    return Request(
        path=path,
        video=np.frombuffer(_read(clip, path), np.uint8),
        parameters={"task": task, **({"language": language} if language else {})},
        outputs=tuple(tensor.name for tensor in tensors),
    )


def path_of(clip: ClipSource) -> str | None:
    """Return the path that a clip is known by; None for bytes and nameless file objects."""
    if isinstance(clip, (str, os.PathLike)):
        return os.fsdecode(clip)
    name = getattr(clip, "name", None)
    return name if isinstance(name, str) else None


def _read(clip: ClipSource, path: str | None) -> bytes:
    with _explained(path):
        if isinstance(clip, (str, os.PathLike)):
            data = _read_file(os.fsdecode(clip))
        elif isinstance(clip, (bytes, bytearray, memoryview)):
            data = bytes(clip)
        else:
            data = _read_object(clip)
    if not data:
        raise InvalidClip("the clip is empty (0 bytes)", path)
    _check_size(len(data), path)
    return data


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


def _read_file(path: str) -> bytes:
    if not path:
        raise InvalidClip("the path of the clip is empty")
    file = Path(path)
    if file.is_dir():
        raise InvalidClip("this is a folder, not a media file", path)
    _check_size(file.stat().st_size, path)
    return file.read_bytes()


def _read_object(clip: BinaryIO) -> bytes:
    if not hasattr(clip, "read"):
        raise TypeError(f"a clip is a path, bytes or a binary file object, and this is of type {type(clip).__name__}")
    data = clip.read()
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"read() gave {type(data).__name__}, not bytes; open the file with mode 'rb'")
    return bytes(data)


def _check_size(size: int, path: str | None) -> None:
    if size > MAX_REQUEST_BYTES:
        raise InvalidClip(f"the clip is {size / (1 << 30):.1f} GiB; one request carries less than 2 GiB", path)
