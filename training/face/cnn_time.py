"""Trains the face channel's CNN with time: the CNN teacher as it is, then temporal layers on synthetic sequences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from networks import weights
from networks.face.cnn_time import CnnTime
from training.card import write_card
from training.data import fer
from training.data.fer import LabelledFaces
from training.face import cnn_time_card
from training.face import tracks as face_tracks
from training.face.teacher import LABELS, LABELS_PHASE, VOTES_PHASE, train_teacher
from training.face.tracks import BATCH_SIZE
from training.loop import Log, Settings, Task, fit

SEQUENCES = 5_000
"""Sequences to learn from: one each of so many training pictures."""
DISTURBED = 0.6
"""Share of them that are disturbed."""
HELD_OUT = 400
"""Sequences of validation pictures, half of them disturbed, that choose the epoch."""
LAYERS = Settings(epochs=12, learning_rate=1e-3, weight_decay=0.05, warmup_epochs=0.5, ema_decay=0.995, patience=12)


@dataclass(frozen=True)
class Schedule:
    """How long, and how, the teacher's two phases and the temporal layers are trained."""

    votes: Settings = VOTES_PHASE
    labels: Settings = LABELS_PHASE
    layers: Settings = LAYERS
    sequences: int = SEQUENCES

    def on(self, device: str) -> Schedule:
        """Return the same for another device."""
        phases = {name: getattr(self, name).on(device) for name in ("votes", "labels", "layers")}
        return replace(self, **phases)


SCHEDULE = Schedule()


def train_cnn_time(data: Path, out: Path, schedule: Schedule = SCHEDULE) -> None:
    """Train on FER2013 in `data`: the CNN teacher, as for Swin-V2, then the temporal layers on its features.

    Weights, card and pictures go to `out`. An interrupted run goes on when called again.
    """
    teacher, logs = train_teacher(data, out / "teacher", schedule.votes, schedule.labels)
    train, validation = fer.load(data, LABELS)
    torch.manual_seed(schedule.layers.seed)
    model = CnnTime(teacher).eval()
    logs["temporal layers"] = train_layers(model, train, validation, out / "layers", schedule)
    weights.round_to_fp16(model)
    card, scores, uncalibrated = cnn_time_card.measure(model.eval(), validation, schedule.layers.device)
    weights.save(model, cast(float, card.values["temperature"]), out / weights.FILE)
    write_card(out, card, scores, uncalibrated, logs)


def train_layers(model: CnnTime, train: LabelledFaces, validation: LabelledFaces, out: Path, schedule: Schedule) -> Log:
    """Train the temporal layers of `model` in place, its CNN staying as it is; return the log."""
    seed = schedule.layers.seed
    extract = face_tracks.cached_features
    tracks = extract(out / "train.safetensors", model.cnn, train, schedule.sequences, DISTURBED, seed + 1)
    held_out = extract(out / "validation.safetensors", model.cnn, validation, HELD_OUT, 0.5, seed + 2)
    task = Task(
        batches_per_epoch=len(tracks) // BATCH_SIZE,
        batches=lambda epoch, generator: face_tracks.batches(tracks, generator),
        loss=_loss,
        evaluate=lambda average: face_tracks.evaluate(cast(CnnTime, average), held_out),
    )
    return fit(model, task, schedule.layers, out)


def _loss(model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    features, positions, targets = batch
    timed = cast(CnnTime, model)
    return cross_entropy(timed.cnn.head(timed.relate(features, positions)), targets)
