"""Fine-tunes a published Swin-V2 for faces, unmodified: the way where a model hub, or a copy of it, is at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import Swinv2ForImageClassification

from export import checkpoint
from networks import pretrained
from training.data import fer
from training.data.fer import View
from training.face.teacher import LABELS, evaluate, soft_cross_entropy
from training.loop import Settings, Task, fit
from triptych.files import write_text, writing
from triptych_client.contract import EMOTIONS

SETTINGS = Settings(epochs=10, learning_rate=1e-4, weight_decay=0.05, ema_decay=0.998, patience=3)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Logits(nn.Module):
    """The backbone as the loop wants it: pictures in, logits out."""

    def __init__(self, swin: Swinv2ForImageClassification) -> None:
        super().__init__()
        self.swin = swin

    def forward(self, faces: Tensor) -> Tensor:
        """Faces f32 [n, 3, h, w] -> logits [n, 7]."""
        return self.swin(faces).logits


def fine_tune(data: Path, out: Path, init: str, settings: Settings = SETTINGS, batch_size: int = 32) -> Path:
    """Train every weight of the published Swin-V2 at its own picture size; return the folder of the new checkpoint.

    The folder is as transformers writes it, with `preprocessor_config.json`; its classes are EMOTIONS, its pictures
    faces as FER2013 frames them, grey in three channels.
    """
    train, validation = fer.load(data, LABELS)
    labels = dict(enumerate(EMOTIONS))
    swin = pretrained.start(
        Swinv2ForImageClassification,
        checkpoint.fetch(init),
        id2label=labels,
        label2id={name: i for i, name in labels.items()},
    )
    view = View(cast(int, swin.config.image_size), imagenet)
    task = Task(
        batches_per_epoch=len(train) // batch_size,
        batches=lambda epoch, generator: fer.batches(train, batch_size, view, generator),
        loss=soft_cross_entropy,
        evaluate=lambda average: evaluate(average, validation, view),
    )
    fit(_Logits(swin), task, settings, out)
    with writing(out / "model"):
        swin.save_pretrained(out / "model")
    text = json.dumps(_preprocessing(view.side_px), indent=2)
    write_text(out / "model" / "preprocessor_config.json", text)
    return out / "model"


def imagenet(faces: Tensor) -> Tensor:
    """Grey levels f32 [n, 1, h, w] -> [n, 3, h, w], normalised as published backbones were trained."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (faces / 255 - mean) / std


def _preprocessing(side_px: int) -> dict[str, Any]:
    return {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": side_px, "width": side_px},
        "do_resize": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
    }
