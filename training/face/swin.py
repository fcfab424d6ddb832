"""Trains the face channel: Swin-V2 from its CNN teacher. For a published Swin-V2 see `training.face.published`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from networks import weights
from networks.face.cnn_time import CnnTime
from networks.face.swin import FaceSwin
from networks.face.teacher import FaceCnn
from training import device
from training.card import LOSSES, Card, write_card
from training.data import fer
from training.data.fer import View
from training.face.teacher import BATCH_SIZE, LABELS, LABELS_PHASE, VOTES_PHASE, evaluate, predict, train_teacher
from training.loop import Log, Settings, Task, fit
from training.metrics import fit_temperature, score
from triptych.files import write_atomically

STUDENT = Settings(epochs=7, learning_rate=1e-3, weight_decay=0.05, warmup_epochs=0.5, ema_decay=0.998, patience=7)
FINISH = Settings(epochs=14, learning_rate=8e-4, weight_decay=0.05, warmup_epochs=1.0, ema_decay=0.998, patience=14)
"""A second cosine, from the weights that the first one ended with (warm restart, Loshchilov and Hutter 2017)."""
DISTILLATION_TEMPERATURE = 2.0
DISTILLATION_WEIGHT = 0.6


@dataclass(frozen=True)
class Schedule:
    """How long, and how, the teacher's two phases and those of Swin-V2 are trained."""

    votes: Settings = VOTES_PHASE
    labels: Settings = LABELS_PHASE
    student: Settings = STUDENT
    finish: Settings = FINISH

    def on(self, device: str) -> Schedule:
        """Return the same for another device."""
        return replace(self, **{name: phase.on(device) for name, phase in vars(self).items()})


@dataclass(frozen=True)
class Pretrained:
    """Files of weights that spare a phase: a CNN with time, whose CNN is the teacher, and a Swin-V2 to go on from."""

    teacher: Path | None = None
    student: Path | None = None


LOSSES_BEFORE = "losses-before.png"
SCHEDULE = Schedule()
NOTHING = Pretrained()


def train_face(data: Path, out: Path, pretrained: Pretrained = NOTHING, schedule: Schedule = SCHEDULE) -> None:
    """Train the face channel on FER2013 in `data`; weights, card and pictures go to `out`.

    The CNN teacher, then Swin-V2 from it in two phases; those are left out whose weights are `pretrained`. An
    interrupted run goes on when called again.
    """
    teacher, logs = _teacher(data, out / "teacher", pretrained.teacher, schedule)
    torch.manual_seed(schedule.student.seed)
    model = FaceSwin()
    if pretrained.student:
        weights.load(model, pretrained.student)
    else:
        model.warm_start(teacher)
        logs["Swin-V2"] = train_student(model, data, out / "student", teacher, schedule.student)
    logs["Swin-V2, second phase"] = train_student(model, data, out / "finish", teacher, schedule.finish)
    parameters, device = sum(p.numel() for p in model.parameters()), schedule.finish.device
    card = Card("face/swin.md", _command(pretrained), parameters, device, _origin(pretrained.student, out))
    finish(data, out, model, card, logs)


def _origin(student: Path | None, out: Path) -> dict[str, str]:
    """Return what the card says of the run that made the student, its losses' picture copied into `out`."""
    if not student:
        return {"student_sha256": "", "losses_before": ""}
    picture = student.with_name(LOSSES)
    if picture.is_file():
        write_atomically(out / LOSSES_BEFORE, lambda path: path.write_bytes(picture.read_bytes()))
    digest = hashlib.sha256(student.read_bytes()).hexdigest()
    return {"student_sha256": digest, "losses_before": LOSSES_BEFORE if picture.is_file() else ""}


def _teacher(data: Path, out: Path, pretrained: Path | None, schedule: Schedule) -> tuple[FaceCnn, dict[str, Log]]:
    """Return the teacher, read from the CNN with time at `pretrained` or trained, and its logs."""
    if not pretrained:
        return train_teacher(data, out, schedule.votes, schedule.labels)
    model = CnnTime()
    weights.load(model, pretrained)
    return model.cnn, {}


def _command(pretrained: Pretrained) -> str:
    options = "".join(f" --{name} FILE" for name in ("teacher", "student") if getattr(pretrained, name))
    return f"triptych train face{options} --data DIR --out DIR"


def train_student(model: FaceSwin, data: Path, out: Path, teacher: FaceCnn, settings: Settings) -> Log:
    """Train Swin-V2 in place, by its teacher's logits and the labels; return the log."""
    train, validation = fer.load(data, LABELS)
    torch.manual_seed(settings.seed)
    task = Task(
        batches_per_epoch=len(train) // BATCH_SIZE,
        batches=lambda epoch, generator: fer.batches(train, BATCH_SIZE, View(), generator),
        loss=distillation(teacher.to(device.resolve(settings.device))),
        evaluate=lambda average: evaluate(average, validation),
    )
    return fit(model, task, settings, out)


def distillation(teacher: nn.Module) -> Callable[[nn.Module, tuple[Tensor, Tensor]], Tensor]:
    """Return the loss of a student that sees what its teacher sees (Hinton et al. 2015)."""
    teacher.eval()

    def loss(student: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        faces, targets = batch
        with torch.no_grad():
            soft_targets = softmax(teacher(faces).float() / DISTILLATION_TEMPERATURE, dim=1)
        logits = student(faces).float()
        softened = cross_entropy(logits / DISTILLATION_TEMPERATURE, soft_targets) * DISTILLATION_TEMPERATURE**2
        return DISTILLATION_WEIGHT * softened + (1 - DISTILLATION_WEIGHT) * cross_entropy(logits, targets)

    return loss


def finish(data: Path, out: Path, model: FaceSwin, card: Card, runs: dict[str, Log]) -> None:
    """Round the weights to fp16, measure them as they are served, and write weights, card and pictures into `out`."""
    weights.round_to_fp16(model)
    validation = fer.load(data, LABELS)[1]
    with torch.inference_mode():
        logits, mirrored = (predict(model.eval(), validation.images, mirror=flip).numpy() for flip in (False, True))
    labels = validation.labels.numpy()
    temperature = fit_temperature(labels, logits)
    weights.save(model, temperature, out / weights.FILE)
    values = {"temperature": temperature, "mirrored": score(labels, logits + mirrored), **card.values}
    card = replace(card, values=values)
    write_card(out, card, score(labels, logits / temperature), score(labels, logits), runs)
