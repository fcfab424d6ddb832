"""Trains the CNN that teaches Swin-V2: small pictures first, full size last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from networks.face.teacher import FaceCnn
from training import device
from training.data import fer
from training.data.fer import LabelledFaces, View
from training.loop import Log, Settings, Task, fit

BATCH_SIZE = 96
FULL = View()
VOTES, LABELS = 0.4, 0.1
"""Weight of the FER+ votes in a target of the first and of the second phase.

Votes are cleaner and teach faster, but call faces neutral that FER2013's labels, which are what counts, call afraid:
after a first phase, refitting only the last layer to the labels raised validation accuracy from 0.646 to 0.665.
"""
VOTES_PHASE = Settings(
    epochs=24, learning_rate=2e-3, weight_decay=0.05, warmup_epochs=1.0, ema_decay=0.998, patience=24
)
LABELS_PHASE = Settings(
    epochs=16, learning_rate=1.5e-3, weight_decay=0.05, warmup_epochs=0.5, ema_decay=0.998, patience=16
)


def side_px(progress: float) -> int:
    """Return the training pictures' side: growing, since the first epochs need no detail (Tan and Le 2021)."""
    return 32 if progress < 0.44 else 40 if progress < 0.78 else fer.FACE_PX


def train_teacher(data: Path, out: Path, votes: Settings, labels: Settings) -> tuple[FaceCnn, dict[str, Log]]:
    """Train the teacher on FER2013 in `data`, with growing pictures on votes, then at full size on labels.

    Returns it and the log of each phase.
    """
    torch.manual_seed(votes.seed)
    model = FaceCnn().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    logs = {
        "CNN teacher, votes": _phase(model, data, out / "votes", votes, VOTES, side_px),
        "CNN teacher, labels": _phase(model, data, out / "labels", labels, LABELS, lambda progress: fer.FACE_PX),
    }
    return model, logs


def _phase(
    model: FaceCnn, data: Path, out: Path, settings: Settings, vote_share: float, side: Callable[[float], int]
) -> Log:
    train, validation = fer.load(data, vote_share)
    task = Task(
        batches_per_epoch=len(train) // BATCH_SIZE,
        batches=lambda epoch, generator: fer.batches(train, BATCH_SIZE, View(side(epoch / settings.epochs)), generator),
        loss=soft_cross_entropy,
        evaluate=lambda average: evaluate(average, validation),
    )
    return fit(model, task, settings, out)


def soft_cross_entropy(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Cross-entropy of the model's logits with soft targets [n, 7]."""
    faces, targets = batch
    return cross_entropy(model(faces.contiguous(memory_format=torch.channels_last)).float(), targets)


def predict(model: nn.Module, images: Tensor, view: View = FULL, mirror: bool = False, batch_size: int = 256) -> Tensor:
    """Faces u8 [n, 48, 48], as they are or mirrored -> logits f32 [n, 7]; on the CPU, wherever the model is."""
    faces = images.flip(2) if mirror else images
    chunks = faces.split(batch_size)
    return torch.cat([device.predict(model, fer.preprocess(chunk, view)).float().cpu() for chunk in chunks])


def evaluate(model: nn.Module, validation: LabelledFaces, view: View = FULL) -> Mapping[str, float]:
    """Return loss (soft targets), accuracy (the score) and macro-F1 (labels), mirror images averaged in."""
    logits = (predict(model, validation.images, view) + predict(model, validation.images, view, mirror=True)) / 2
    predicted = logits.argmax(1)
    accuracy = float((predicted == validation.labels).float().mean())
    return {
        "loss": float(cross_entropy(logits, validation.targets)),
        "accuracy": accuracy,
        "macro_f1": float(f1_score(validation.labels, predicted, average="macro")),
        "score": accuracy,
    }
