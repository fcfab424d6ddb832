"""Texts as the words channel trains on them: token ids, the states below its adapters, and batches of equal lengths."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from training import device
from training.data.text import Texts
from training.words.model import Lower
from triptych.files import write_atomically
from triptych.words.text import PREFIX

MAX_TOKENS = 48
"""Texts are cut here in training; one in fifty is longer."""
FULLEST_CLASS = 4000
"""About so many texts of an emotion and corpus are in one pass: of a frequent one, others each time."""
PARTS = 2
"""Epochs of the loop that one pass over the data takes: a checkpoint comes with each."""
BATCH_SIZE = 32
POOL = 16
"""Batches whose texts are sorted by length together."""
STATES = "states-{}.npy"

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""States f32 [n, length, d], mask int64 [n, length], corpus int64 [n], targets f32 [n, 7]."""


def token_ids(tokenizer: Tokenizer, texts: Sequence[str], longest: int = MAX_TOKENS) -> list[Tensor]:
    """Return int64 ids [length] of each text, prefixed as when served (`triptych.words.text`), without padding."""
    cutter = Tokenizer.from_str(tokenizer.to_str())
    cutter.no_padding()
    cutter.enable_truncation(longest)
    encodings = cutter.encode_batch([PREFIX + text for text in texts])
    return [torch.tensor(encoding.ids, dtype=torch.int64) for encoding in encodings]


def padding(tokenizer: Tokenizer) -> int:
    """Return the id that the tokenizer pads with."""
    return tokenizer.padding["pad_id"] if tokenizer.padding else 0


def pad(rows: Sequence[Tensor], value: float = 0) -> tuple[Tensor, Tensor]:
    """Return rows [length, ...] as one tensor [n, longest, ...], and its mask int64 [n, longest]: 0 is padding."""
    lengths = torch.tensor([len(row) for row in rows])
    mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
    return pad_sequence(list(rows), batch_first=True, padding_value=value), mask


class States:
    """The states of `Lower` for texts, f16, kept in a file that is mapped and not read."""

    def __init__(self, lower: Lower, ids: Sequence[Tensor], pad_id: int, folder: Path) -> None:
        """Compute them, unless `folder` has them. TriptychError when the disk is full."""
        self.ends = np.cumsum([len(row) for row in ids])
        self.starts = np.concatenate([[0], self.ends[:-1]])
        digest = hashlib.sha256(torch.cat(list(ids)).numpy().tobytes())
        digest.update(next(lower.embeddings.parameters())[:1000].detach().cpu().numpy().tobytes())
        path = folder / STATES.format(digest.hexdigest()[:12])
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            flat = _compute(lower, ids, pad_id)
            write_atomically(path, lambda partial: _save(partial, flat))
        self.flat = np.load(path, mmap_mode="r")

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return the states f32 [n, length, d] of these texts, and their mask."""
        texts = [torch.from_numpy(np.array(self.flat[self.starts[row] : self.ends[row]])).float() for row in rows]
        return pad(texts)


def discard_states(folder: Path) -> None:
    """Delete the states that a finished run leaves: they are large, and can be computed again."""
    for path in folder.glob(STATES.format("*")):
        path.unlink()


def by_length(lengths: np.ndarray, size: int) -> list[np.ndarray]:
    """Return row numbers in batches of up to `size`, short texts first."""
    order = np.argsort(lengths, kind="stable")
    return [order[start : start + size] for start in range(0, len(order), size)]


def chances(texts: Texts) -> Tensor:
    """Return how likely each text [n] is to be in a pass: of a frequent emotion of its corpus, a part is."""
    chance = np.zeros(len(texts))
    for corpus in np.unique(texts.corpora):
        rows = texts.corpora == corpus
        kept = np.minimum(1, FULLEST_CLASS / np.maximum(texts.targets[rows].sum(0), 1))
        chance[rows] = (texts.targets[rows] * kept).max(1)
    return torch.from_numpy(chance)


def batches_in_part(chance: Tensor) -> int:
    """Return the batches of one epoch of the loop; at least 1."""
    return max(1, int(chance.sum()) // (PARTS * BATCH_SIZE))


def epoch_rows(chance: Tensor, lengths: np.ndarray, epoch: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the row numbers of each batch of an epoch: texts of like length together, batches in random order."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch // PARTS)
    count = batches_in_part(chance)
    needed = min(count * PARTS * BATCH_SIZE, int((chance > 0).sum()))
    drawn = torch.multinomial(chance, needed, generator=generator).numpy()
    part = np.array_split(drawn, PARTS)[epoch % PARTS]
    batches = []
    for start in range(0, len(part), POOL * BATCH_SIZE):
        pool = part[start : start + POOL * BATCH_SIZE]
        batches += [pool[rows] for rows in by_length(lengths[pool], BATCH_SIZE)]
    for index in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[index]


@torch.inference_mode()
def _compute(lower: Lower, ids: Sequence[Tensor], pad_id: int) -> np.ndarray:
    states: dict[int, np.ndarray] = {}
    for rows in by_length(np.array([len(row) for row in ids]), BATCH_SIZE):
        padded, mask = pad([ids[row] for row in rows], pad_id)
        computed = device.predict(lower, padded, mask).half().cpu().numpy()
        states |= {int(row): one[: len(ids[row])] for row, one in zip(rows, computed)}
    return np.concatenate([states[row] for row in range(len(ids))])


def _save(path: Path, flat: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, flat)
