"""Answers as they are sent and compared: all tensors of a clip, whoever computed them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

TOLERANCE = 0.02
"""How far a probability may be from ours: PyTorch sums in another order, and the script's Whisper is sure of all."""


@dataclass(frozen=True)
class Agreement:
    """How far a peer's answer is from ours: the largest difference of a probability, the same class, the same words."""

    difference: float
    same_label: bool
    same_text: bool

    @property
    def holds(self) -> bool:
        """Whether it is the same answer."""
        return self.difference <= TOLERANCE and self.same_label and self.same_text


def packed(answer: Mapping[str, np.ndarray]) -> bytes:
    """Return the tensors of an answer as one file, as a server would send them."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: _plain(array) for name, array in answer.items()})
    return buffer.getvalue()


def unpacked(data: bytes) -> dict[str, np.ndarray]:
    """Return the tensors of such a file."""
    with np.load(io.BytesIO(data)) as arrays:
        return dict(arrays)


def _plain(array: np.ndarray) -> np.ndarray:
    """Return an array without objects: texts as their bytes."""
    return array.astype(np.bytes_) if array.dtype == object else array


def compare(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> Agreement:
    """Compare two answers for one clip."""
    one, other = (np.asarray(answer["PROBABILITIES"], np.float64) for answer in (ours, theirs))
    texts = [[bytes(text) for text in _plain(np.asarray(answer["TEXTS"])).ravel()] for answer in (ours, theirs)]
    return Agreement(float(np.abs(one - other).max()), bool(one.argmax() == other.argmax()), texts[0] == texts[1])
