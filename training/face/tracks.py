"""Synthetic sequences as the CNN sees them: computed once, then batched, answered and measured at little cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from networks.face.cnn_time import CnnTime
from networks.face.teacher import FaceCnn
from training import device
from training.data import fer
from training.data.fer import LabelledFaces, View
from training.face import motion
from training.face.motion import FRAMES
from triptych.errors import TriptychError
from triptych.files import write_atomically

BATCH_SIZE = 32
MOST_DROPPED = 0.8
"""Half of the sequences of a batch lose up to this share of their frames: faces are missed, and clips are short."""


@dataclass(frozen=True)
class Tracks:
    """What the CNN makes of sequences: features f32 [n, FRAMES, 192], with times and targets as in `Sequences`."""

    features: Tensor
    times_ms: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def batch(self, rows: Tensor, kept: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features [m, 192], positions [m, 2] and targets [m, 7] of the kept frames, bool [rows, FRAMES]."""
        keys = torch.arange(len(rows))[:, None].expand(-1, FRAMES)
        positions = torch.stack([keys, self.times_ms[rows]], dim=2)
        return self.features[rows][kept], positions[kept], self.targets[rows][kept]


@torch.inference_mode()
def extract_features(cnn: FaceCnn, faces: LabelledFaces, count: int, disturbed: float, seed: int) -> Tracks:
    """Make a sequence of each of `count` pictures chosen at random, a share of them disturbed, and look at them."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for chosen in torch.randperm(len(faces), generator=generator)[:count].split(BATCH_SIZE):
        spoilt = torch.rand(len(chosen), generator=generator) < disturbed
        sequences = motion.compose(faces, chosen, spoilt, generator)
        pixels = fer.preprocess(sequences.rows()[0], View()).contiguous(memory_format=torch.channels_last)
        features = cnn.body(cnn.stem(pixels)).mean((2, 3)).unflatten(0, (-1, FRAMES))
        parts.append((features, sequences.times_ms, sequences.targets))
    return Tracks(*(torch.cat(column) for column in zip(*parts)))


def cached_features(path: Path, cnn: FaceCnn, faces: LabelledFaces, count: int, disturbed: float, seed: int) -> Tracks:
    """Return what `extract_features` returns, kept in a file for the run that is interrupted and called again.

    TriptychError when the file cannot be read or written.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = vars(extract_features(cnn, faces, count, disturbed, seed))
        write_atomically(path, lambda partial: save_file(made, partial))
    try:
        return Tracks(**load_file(path))
    except (SafetensorError, TypeError) as error:
        raise TriptychError(f"{path} cannot be read: {error}. Delete it, then run the same command.") from error


def batches(tracks: Tracks, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield one shuffled epoch as `Tracks.batch` gives it; the last, incomplete batch is left out."""
    order = torch.randperm(len(tracks), generator=generator)
    for start in range(0, len(order) - BATCH_SIZE + 1, BATCH_SIZE):
        thinned = torch.rand(BATCH_SIZE, 1, generator=generator) < 0.5
        dropped = thinned * MOST_DROPPED * torch.rand(BATCH_SIZE, 1, generator=generator)
        kept = torch.rand(BATCH_SIZE, FRAMES, generator=generator) >= dropped
        yield tracks.batch(order[start : start + BATCH_SIZE], kept)


def answer(model: CnnTime, tracks: Tracks) -> Tensor:
    """Return logits f32 [n, FRAMES, 7] of every frame, seen in its track; on the CPU, wherever the model is."""
    logits, where = [], next(model.parameters()).device
    for rows in torch.arange(len(tracks)).split(BATCH_SIZE):
        features, positions, _ = device.move(tracks.batch(rows, torch.ones(len(rows), FRAMES, dtype=torch.bool)), where)
        logits.append(model.cnn.head(model.relate(features, positions)).unflatten(0, (-1, FRAMES)).cpu())
    return torch.cat(logits)


def evaluate(model: CnnTime, tracks: Tracks) -> Mapping[str, float]:
    """Return loss (soft targets) and accuracy (the score) over all frames."""
    logits = answer(model, tracks)
    accuracy = float((logits.argmax(2) == tracks.targets.argmax(2)).float().mean())
    loss = float(cross_entropy(logits.flatten(0, 1), tracks.targets.flatten(0, 1)))
    return {"loss": loss, "accuracy": accuracy, "score": accuracy}
