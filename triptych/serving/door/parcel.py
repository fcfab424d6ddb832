"""A clip's request, taken apart: the clip stays where it lies, uncopied, and all that is around it is looked at.

What goes on to Triton is written anew from what was understood. So nothing passes that was not looked at, and a clip of
64 MiB is copied once at most: where Triton reads it from shared memory (`slots`), or into the message to Triton.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from grpc import StatusCode
from tritonclient.grpc import service_pb2

from triptych.serving.door.admission import Refusal

REGION, OFFSET, SIZE = "shared_memory_region", "shared_memory_offset", "shared_memory_byte_size"
"""Parameters of a tensor whose bytes lie in shared memory.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_shared_memory.md
"""
MOST_FIELDS = 1024
"""A request for all that an answer holds has about fifty; more would be looked at for long."""
MOST_AROUND = 1 << 20
"""Bytes around the clip."""

_MESSAGES: Any = service_pb2  # its classes are made when it is imported
_RAW = _MESSAGES.ModelInferRequest.RAW_INPUT_CONTENTS_FIELD_NUMBER
_LENGTH_DELIMITED = 2
"""Wire type of strings, bytes and messages, of which a request is made.

https://protobuf.dev/programming-guides/encoding/
"""


@dataclass(frozen=True)
class Parcel:
    """A request: `around` is a ModelInferRequest without contents, `contents` are the bytes of its inputs in order."""

    around: Any
    contents: tuple[memoryview, ...]

    @property
    def size(self) -> int:
        """The bytes of all contents."""
        return sum(map(len, self.contents))

    @property
    def clip(self) -> memoryview | None:
        """The bytes of the only input; None where there are more, or where its bytes are not apart."""
        return self.contents[0] if len(self.contents) == len(self.around.inputs) == 1 else None

    def message(self, parameters: Mapping[str, int | str], region: str | None = None) -> bytes:
        """Return it serialised, with further request parameters, which take the place of the caller's of these names.

        With a `region`, Triton finds the clip at its beginning; without, the message holds it.
        """
        request = _MESSAGES.ModelInferRequest()
        request.CopyFrom(self.around)
        for name, value in parameters.items():
            if isinstance(value, int):
                request.parameters[name].int64_param = value
            else:
                request.parameters[name].string_param = value
        if region is None:
            return b"".join((request.SerializeToString(), *_serialised(self.contents)))
        place = request.inputs[0].parameters
        place[REGION].string_param, place[SIZE].int64_param = region, self.size
        return request.SerializeToString()


def opened(body: bytes) -> Parcel:
    """Take a serialised ModelInferRequest apart; Refusal for what is none, or has too much around its clip."""
    contents: list[memoryview] = []
    around: list[memoryview] = []
    view = memoryview(body)
    for number, whole, payload in _fields(view):
        if number == _RAW:
            contents.append(payload)
        else:
            around.append(whole)
    if sum(map(len, around)) > MOST_AROUND:
        raise _refusal("more than 1 MiB are around the clip: send it as raw_input_contents")
    try:
        message = _MESSAGES.ModelInferRequest.FromString(b"".join(around))
    except DecodeError:
        raise _refusal("this is no ModelInferRequest") from None
    message.DiscardUnknownFields()
    return Parcel(message, tuple(contents))


def _fields(body: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yield the fields of a serialised message: number, the whole of it, and what is in it."""
    at = count = 0
    while at < len(body):
        tag, start = _varint(body, at)
        size, start = _varint(body, start)
        end, count = start + size, count + 1
        if tag & 7 != _LENGTH_DELIMITED or end > len(body) or count > MOST_FIELDS:
            raise _refusal("this is no ModelInferRequest")
        yield tag >> 3, body[at:end], body[start:end]
        at = end


def _varint(body: memoryview, at: int) -> tuple[int, int]:
    """Return the number that is written at a place, seven bits a byte, the lowest first; and where it ends."""
    number = 0
    for index, byte in enumerate(body[at : at + 5]):  # 32 bits are enough: a message has less than 2 GiB
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, at + index + 1
    raise _refusal("this is no ModelInferRequest")


def _serialised(contents: tuple[memoryview, ...]) -> Iterator[bytes | memoryview]:
    """Yield the pieces of raw_input_contents as they are in a message."""
    for content in contents:
        yield bytes(((_RAW << 3) | _LENGTH_DELIMITED,))
        yield _written(len(content))
        yield content


def _written(number: int) -> bytes:
    """Return a number as `_varint` reads it."""
    pieces = bytearray()
    while number >= 0x80:
        pieces.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*pieces, number))


def _refusal(words: str) -> Refusal:
    return Refusal(StatusCode.INVALID_ARGUMENT, "request", words)
