"""Reader of the `model.bin` container of CTranslate2, as data: CTranslate2 itself is not needed.

The layout is that of `ModelSpec._serialize` in CTranslate2 4 (python/ctranslate2/specs/model_spec.py), little-endian:
binary version u32, name of the specification, its revision u32, number of variables u32; for each variable its name,
rank u8, the dimensions u32 each, type u8, size in bytes u32, the data; then the number of aliases u32, and for each its
name and the variable's name. A string is its length u16, with the closing NUL counted, and its bytes.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triptych.errors import TriptychError

BINARY_VERSION = 6

_DTYPES = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}
"""Type numbers of the container; 5, bfloat16, has no counterpart in numpy."""


@dataclass(frozen=True)
class Container:
    """What a container holds. `variables` by name, aliases included: read-only arrays over the mapped file."""

    specification: str
    revision: int
    variables: dict[str, np.ndarray]


def read(path: Path) -> Container:
    """Read a `model.bin`; TriptychError when it is damaged, or of another binary version."""
    try:
        with path.open("rb") as file:
            return _container(_Reader(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    except (struct.error, ValueError, KeyError) as error:
        raise TriptychError(f"{path} is damaged, or not a CTranslate2 model: {error}") from error


def _container(reader: _Reader) -> Container:
    version = reader.number("I")
    if version != BINARY_VERSION:
        raise TriptychError(f"this CTranslate2 model has binary version {version}; only {BINARY_VERSION} can be read")
    specification, revision = reader.string(), reader.number("I")
    variables = dict(reader.variable() for _ in range(reader.number("I")))
    for _ in range(reader.number("I")):
        alias, name = reader.string(), reader.string()
        variables[alias] = variables[name]
    return Container(specification, revision, variables)


class _Reader:
    """A position in the mapped file, moved on by each read."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.position = 0

    def number(self, kind: str) -> int:
        (value,) = struct.unpack_from("<" + kind, self.data, self.position)
        self.position += struct.calcsize("<" + kind)
        return value

    def string(self) -> str:
        return self._bytes(self.number("H")).rstrip(b"\0").decode()

    def variable(self) -> tuple[str, np.ndarray]:
        name = self.string()
        shape = [self.number("I") for _ in range(self.number("B"))]
        dtype = np.dtype(_DTYPES[self.number("B")])
        size = self.number("I")
        array = np.frombuffer(self.data, dtype, size // dtype.itemsize, self.position).reshape(shape)
        self.position += size
        return name, array

    def _bytes(self, size: int) -> bytes:
        part = self.data[self.position : self.position + size]
        if len(part) != size:
            raise ValueError("the file ends too early")
        self.position += size
        return part
