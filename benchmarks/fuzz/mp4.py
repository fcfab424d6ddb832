"""ISO base media files (MP4, MOV, 3GP) as trees of boxes: ISO/IEC 14496-12, QuickTime File Format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from benchmarks.fuzz.tree import Field, Forest, Format, Node, mutate

PICTURES = (b"avc1", b"hvc1", b"hev1", b"mp4v", b"av01", b"vp09", b"vp08", b"s263", b"encv", b"jpeg", b"png ", b"apcn")
PICTURE_BYTES = 78
SOUNDS = (b"mp4a", b"ac-3", b"ec-3", b"Opus", b"fLaC", b"samr", b"alac", b"enca", b"sowt", b"twos", b"in24", b"fl32")
SOUND_BYTES = 28
QUICKTIME_BYTES = {b"\0\1": 16, b"\0\2": 36}
"""What a sample description of sound has more in QuickTime's versions 1 and 2."""

PLAIN = (
    *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"dinf", b"mvex", b"moof", b"traf", b"mfra"),
    *(b"sinf", b"schi", b"ilst", b"gmhd", b"tapt", b"wave"),
)
BRANCHES: dict[bytes, int] = {
    **dict.fromkeys(PLAIN, 0),
    b"meta": 4,
    b"stsd": 8,
    b"dref": 8,
    **dict.fromkeys(PICTURES, PICTURE_BYTES),
    **dict.fromkeys(SOUNDS, SOUND_BYTES),
}
"""Boxes that hold boxes, and how many bytes of their own come before them."""

MATRIX = tuple((offset, 4) for offset in range(0, 36, 4))
ENTRIES = ((4, 4), (8, 4), (12, 4), (16, 4))
"""A table's count, then its first entry."""

FIELDS: dict[bytes, Sequence[Field]] = {
    b"mvhd": ((0, 1), (12, 4), (16, 4), *((36 + offset, size) for offset, size in MATRIX), (96, 4)),
    b"tkhd": ((0, 1), (12, 4), (20, 4), *((40 + offset, size) for offset, size in MATRIX), (76, 4), (80, 4)),
    b"mdhd": ((0, 1), (12, 4), (16, 4)),
    b"mehd": ((4, 4),),
    b"elst": (*ENTRIES, (20, 4), (24, 4)),
    b"stts": ENTRIES,
    b"ctts": ENTRIES,
    b"stsc": (*ENTRIES, (20, 4)),
    b"stsz": ENTRIES,
    b"stz2": ENTRIES,
    b"stco": ENTRIES,
    b"co64": ((4, 4), (8, 8), (16, 8)),
    b"stss": ENTRIES,
    b"trex": ((4, 4), (8, 4), (12, 4), (16, 4), (20, 4)),
    b"tfhd": ((0, 4), (4, 4), (8, 4), (12, 4)),
    b"trun": ((0, 4), (4, 4), (8, 4), (12, 4), (16, 4)),
    b"sidx": ((8, 4), (12, 4), (30, 2), (32, 4)),
    **dict.fromkeys(PICTURES, ((6, 2), (24, 2), (26, 2), (40, 2), (74, 2))),
    **dict.fromkeys(SOUNDS, ((6, 2), (8, 2), (16, 2), (18, 2), (24, 4))),
}
"""Where the numbers are: versions, time scales, durations, matrices, counts, first entries, sizes, rates."""


def parse(data: bytes) -> Forest:
    """Return the boxes of a file; what is not one is kept as bytes."""
    return tuple(_boxes(data))


def write(node: Node) -> bytes:
    """Return the bytes of a box."""
    if not node.name:
        return node.content
    body = node.content + b"".join(map(write, node.children or ()))
    size = 8 + len(body) if node.stated_size is None else node.stated_size
    if node.size_bytes == 8 or size >= 1 << 32:
        return b"\0\0\0\1" + node.name + (size + 8).to_bytes(8, "big") + body
    return size.to_bytes(4, "big") + node.name + body


def fields(node: Node) -> Sequence[Field]:
    """Return where the numbers of a box are; of one that is not known, every aligned word at its beginning."""
    known = FIELDS.get(node.name) or [(offset, 4) for offset in range(0, min(len(node.content), 64), 4)]
    return [(offset, size) for offset, size in known if offset + size <= len(node.content)]


FORMAT = Format(write, fields)


def boxes(data: bytes, random: Random) -> bytes:
    """Return an MP4 after mutations of its boxes."""
    return mutate(with_header_last(parse(data)), FORMAT, random)


def with_header_last(forest: Forest) -> Forest:
    """Return the boxes with `moov` at the end and as much free space in its place.

    The tables in it say where in the file the samples are, and stay true however it grows.
    """
    kept: list[Node] = []
    headers: list[Node] = []
    for node in forest:
        is_header = node.name == b"moov"
        headers += [node] if is_header else []
        kept.append(Node(b"free", bytes(len(write(node)) - 8)) if is_header else node)
    return (*kept, *headers)


def changed(forest: Forest, name: bytes, content: dict[int, bytes]) -> Forest:
    """Return the forest with bytes at some offsets written into the content of every box of a name."""
    return tuple(_changed(node, name, content) for node in forest)


def _changed(node: Node, name: bytes, content: dict[int, bytes]) -> Node:
    own = bytearray(node.content)
    if node.name == name:
        for offset, value in content.items():
            own[offset : offset + len(value)] = value
    children = None if node.children is None else changed(node.children, name, content)
    return replace(node, content=bytes(own), children=children)


def _boxes(data: bytes) -> Iterator[Node]:
    place = 0
    while place < len(data):
        size, name = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        wide = size == 1
        start = place + (16 if wide else 8)
        if wide:
            size = int.from_bytes(data[place + 8 : place + 16], "big")
        end = place + size
        if len(name) < 4 or end > len(data) or end < start:
            yield Node(b"", data[place:])
            return
        yield _node(name, data[start:end], 8 if wide else 4)
        place = end


def _node(name: bytes, body: bytes, size_bytes: int) -> Node:
    own = BRANCHES.get(name)
    if own == SOUND_BYTES and body[8:10] in QUICKTIME_BYTES:
        own += QUICKTIME_BYTES[body[8:10]]
    if own is None or len(body) < own:
        return Node(name, body, size_bytes=size_bytes)
    return Node(name, body[:own], tuple(_boxes(body[own:])), size_bytes)
