"""Mutations that know nothing of formats: flipped bits, interesting integers, cuts, repeats and splices."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

MAX_BYTES = 8 << 20
"""No mutation grows a file beyond this."""

HEADER_BYTES = 4096

FLOATS = (float("nan"), float("inf"), -1.0, 0.0, 1e-300, 1e300)
ENDS = ("big", "little")


def interesting(random: Random, size: int) -> bytes:
    """Return a number of so many bytes at an edge: of its sign, its width, a power of two, or of floats."""
    if size in (4, 8) and random.random() < 0.1:
        value = random.choice(FLOATS)
        return struct.pack(">d", value) if size == 8 else struct.pack(">f", max(min(value, 1e38), -1e38))
    bits = 8 * size
    edge = random.choice((0, 1 << random.randrange(bits), 1 << (bits - 1), 1 << bits))
    value = (edge + random.choice((-1, 0, 1))) % (1 << bits)
    return value.to_bytes(size, random.choice(ENDS))


def flips(data: bytes, random: Random) -> bytes:
    """Flip 1 to 64 bits, all over the file, in its header, or close together."""
    changed = bytearray(data)
    start, end = _window(len(data), random)
    for _ in range(random.choice((1, 2, 4, 16, 64))):
        changed[random.randrange(start, end)] ^= 1 << random.randrange(8)
    return bytes(changed)


def integers(data: bytes, random: Random) -> bytes:
    """Write 1 to 8 interesting integers over the file."""
    changed = bytearray(data)
    start, end = _window(len(data), random)
    for _ in range(random.choice((1, 1, 2, 8))):
        number = interesting(random, random.choice((1, 2, 4, 8)))
        place = random.randrange(start, end)
        changed[place : place + len(number)] = number
    return bytes(changed[: len(data)])


def cut(data: bytes, random: Random) -> bytes:
    """Leave out a span, or what follows a place."""
    start, end = _span(len(data), random)
    return data[:start] if random.random() < 0.5 else data[:start] + data[end:]


def repeat(data: bytes, random: Random) -> bytes:
    """Write a span several times."""
    start, end = _span(len(data), random)
    most = max((MAX_BYTES - len(data)) // (end - start), 1)
    return data[:start] + data[start:end] * min(random.choice((2, 3, 16, 1000)), most) + data[end:]


def splice(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Go on with another file from a place, or take a span of it in."""
    other = random.choice(others)
    start, end = _span(len(data), random)
    first, last = _span(len(other), random)
    if random.random() < 0.5:
        return (data[:start] + other[first:])[:MAX_BYTES]
    return (data[:start] + other[first:last] + data[end:])[:MAX_BYTES]


def _window(size: int, random: Random) -> tuple[int, int]:
    """Return the span that places are chosen in: the whole, the header, or 256 bytes."""
    start = random.randrange(size)
    return random.choice(((0, size), (0, min(size, HEADER_BYTES)), (start, min(size, start + 256))))


def _span(size: int, random: Random) -> tuple[int, int]:
    """Return a span that is not empty; short ones are as frequent as long ones."""
    start = random.randrange(size)
    length = max(1, round(size ** random.random()))
    return start, min(size, start + length)
