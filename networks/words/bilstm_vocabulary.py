"""A small vocabulary inside a large one: which of 16,000 rows of embeddings each of 250,002 pieces is read by.

The pieces that training texts hold most often have a row each. Every other piece is read by the row of the kept piece
that multilingual-e5 embeds nearest: "triste" as "sad", "glücklich" as "счастлив", so that words that the training never
showed are read as near ones and not as unknown. The rows start from e5's embeddings, reduced to their principal
components (Hotelling 1933).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 4096
"""Pieces that are compared at once: a table of 4096 x 16,000 similarities is 262 MB."""


@dataclass(frozen=True)
class Vocabulary:
    """`row_of_piece` int16 [pieces] and the embeddings to start from, `table` f32 [rows, width]."""

    row_of_piece: Tensor
    table: Tensor


def build(sequences: Iterable[Tensor], vectors: Tensor, rows: int, width: int) -> Vocabulary:
    """Return the vocabulary for token id sequences, int64 [length] each; `vectors` f32 [pieces, d] embeds the pieces.

    Fewer than `rows` pieces in the sequences: the next ids fill the rows up.
    """
    kept = most_frequent(sequences, len(vectors), rows)
    centred = vectors - vectors.mean(dim=0)
    return Vocabulary(nearest(centred, kept).to(torch.int16), principal_components(vectors[kept], width))


def most_frequent(sequences: Iterable[Tensor], pieces: int, rows: int) -> Tensor:
    """Return the ids int64 [rows] that occur most often, most frequent first; of equals, the lower id."""
    counts = torch.cat(list(sequences)).bincount(minlength=pieces)
    return counts.argsort(descending=True, stable=True)[:rows]


def nearest(vectors: Tensor, kept: Tensor) -> Tensor:
    """Return for each of `vectors` f32 [pieces, d] which of its rows `kept` int64 [rows] is nearest by cosine."""
    unit = torch.nn.functional.normalize(vectors, dim=-1)
    candidates = unit[kept].T.contiguous()
    found = torch.cat([(chunk @ candidates).argmax(dim=1) for chunk in unit.split(CHUNK)])
    found[kept] = torch.arange(len(kept))  # two pieces may have one embedding
    return found


def principal_components(vectors: Tensor, width: int) -> Tensor:
    """Return `vectors` f32 [n, d] as their first `width` components f32 [n, width], scaled to a deviation of 1."""
    centred = vectors - vectors.mean(dim=0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    reduced = centred @ directions[:width].T
    return reduced / reduced.std()
