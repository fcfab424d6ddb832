"""Matroska and WebM files as trees of EBML elements: RFC 8794 (EBML), RFC 9559 (Matroska)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from benchmarks.fuzz.tree import Field, Forest, Format, Node, mutate

EBML, DOC_TYPE, SEGMENT, INFO, TRACKS, TRACK, CLUSTER = map(
    bytes.fromhex, ("1A45DFA3", "4282", "18538067", "1549A966", "1654AE6B", "AE", "1F43B675")
)
TIMESTAMP_SCALE, DURATION = bytes.fromhex("2AD7B1"), bytes.fromhex("4489")
TRACK_NUMBER, TRACK_UID, TRACK_TYPE, CODEC_ID, CODEC_PRIVATE, DEFAULT_DURATION = map(
    bytes.fromhex, ("D7", "73C5", "83", "86", "63A2", "23E383")
)
VIDEO, PIXEL_WIDTH, PIXEL_HEIGHT, COLOUR_SPACE, AUDIO, SAMPLING_RATE, CHANNELS, BIT_DEPTH = map(
    bytes.fromhex, ("E0", "B0", "BA", "2EB524", "E1", "B5", "9F", "6264")
)
ENCODINGS, ENCODING, COMPRESSION, ALGORITHM = map(bytes.fromhex, ("6D80", "6240", "5034", "4254"))
TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = map(bytes.fromhex, ("E7", "A3", "A0", "A1"))
TAGS, TAG, SIMPLE_TAG, TAG_NAME, TAG_STRING = map(bytes.fromhex, ("1254C367", "7373", "67C8", "45A3", "4487"))
ATTACHMENTS, ATTACHED_FILE, FILE_NAME, FILE_TYPE, FILE_DATA, FILE_UID = map(
    bytes.fromhex, ("1941A469", "61A7", "466E", "4660", "465C", "46AE")
)
SEEK_HEAD, SEEK, CUES, CUE_POINT, CUE_POSITIONS, CHAPTERS = map(
    bytes.fromhex, ("114D9B74", "4DBB", "1C53BB6B", "BB", "B7", "1043A770")
)

BRANCHES = frozenset(
    {EBML, SEGMENT, INFO, TRACKS, TRACK, CLUSTER, VIDEO, AUDIO, ENCODINGS, ENCODING, COMPRESSION, BLOCK_GROUP}
    | {TAGS, TAG, SIMPLE_TAG, ATTACHMENTS, ATTACHED_FILE, SEEK_HEAD, SEEK, CUES, CUE_POINT, CUE_POSITIONS, CHAPTERS}
)

BLOCK_FIELDS = ((0, 1), (1, 2), (3, 1), (4, 1), (4, 2))
"""Of a block: its track, its time in the cluster, its flags with the lacing, how many frames are laced, their sizes."""


def parse(data: bytes) -> Forest:
    """Return the elements of a file; what is not one is kept as bytes."""
    return tuple(_elements(data))


def write(node: Node) -> bytes:
    """Return the bytes of an element."""
    if not node.name:
        return node.content
    body = node.content + b"".join(map(write, node.children or ()))
    size = len(body) if node.stated_size is None else node.stated_size
    return node.name + size_of(size, node.size_bytes) + body


def size_of(size: int, width: int = 0) -> bytes:
    """Return a size as EBML writes it: as many leading bits as bytes; all ones say that it is not known."""
    size = min(size, (1 << 56) - 1)
    width = width or -(-(size + 1).bit_length() // 7)  # + 1: all ones would say something else
    width = max(width, -(-size.bit_length() // 7))
    return ((1 << (7 * width)) | size).to_bytes(width, "big")


def fields(node: Node) -> Sequence[Field]:
    """Return where the numbers of an element are: a block's header, or the whole of a short one."""
    if node.name in (SIMPLE_BLOCK, BLOCK):
        return [(offset, size) for offset, size in BLOCK_FIELDS if offset + size <= len(node.content)]
    return [(0, len(node.content))] if 0 < len(node.content) <= 8 and node.children is None else []


FORMAT = Format(write, fields)


def elements(data: bytes, random: Random) -> bytes:
    """Return a Matroska file after mutations of its elements."""
    return mutate(parse(data), FORMAT, random)


def number(name: bytes, value: int) -> Node:
    """Return an element that holds an unsigned integer."""
    return Node(name, value.to_bytes(max(1, -(-value.bit_length() // 8)), "big"))


def _elements(data: bytes) -> Iterator[Node]:
    place = 0
    while place < len(data):
        name_bytes = 9 - data[place].bit_length()
        name = data[place : place + name_bytes]
        place_of_size = place + name_bytes
        first = data[place_of_size] if place_of_size < len(data) else 0
        size_bytes = 9 - first.bit_length()
        start = place_of_size + size_bytes
        if name_bytes > 4 or size_bytes > 8 or start > len(data):
            yield Node(b"", data[place:])
            return
        largest = (1 << (7 * size_bytes)) - 1
        size = int.from_bytes(data[place_of_size:start], "big") & largest
        unknown = size == largest
        end = len(data) if unknown else start + size
        if end > len(data):
            yield Node(b"", data[place:])
            return
        yield _node(name, data[start:end], size_bytes, largest if unknown else None)
        place = end


def _node(name: bytes, body: bytes, size_bytes: int, stated_size: int | None) -> Node:
    if name in BRANCHES:
        return Node(name, b"", tuple(_elements(body)), size_bytes, stated_size)
    return Node(name, body, None, size_bytes, stated_size)
