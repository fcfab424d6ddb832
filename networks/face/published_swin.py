"""The step `expression` from a Swin Transformer V2 checkpoint of transformers (Liu et al. 2022, arXiv:2111.09883).

For any `Swinv2ForImageClassification`, tiny to large, saved with `save_pretrained`, whose labels name emotions
(`networks.emotion_names`), grey or RGB.
The resolution of the checkpoint is fixed in the graph: its position biases and window masks depend on it.

For fp16 (TensorRT takes the precision from the graph): keep the cosine attention's normalisation, its logit scale and
the softmax in fp32. Its epsilon of 1e-12 is 0 in fp16, and a blank window then gives NaN.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import Swinv2ForImageClassification

from networks import pretrained
from networks.class_order import to_emotions
from networks.images import grey, resizing
from networks.served import Served
from triptych.errors import TriptychError
from triptych_client.contract import FACE_PX


@dataclass(frozen=True)
class Preprocessing:
    """How a checkpoint wants its pictures: pixel x becomes (x factor - mean) / std, for each channel."""

    factor: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def read(cls, folder: Path) -> Preprocessing:
        """Read preprocessor_config.json; TriptychError when it lacks the numbers."""
        path = folder / "preprocessor_config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0,
                tuple(config["image_mean"]) if config.get("do_normalize", True) else (0.0,),
                tuple(config["image_std"]) if config.get("do_normalize", True) else (1.0,),
            )
        except (OSError, ValueError, KeyError) as error:
            raise TriptychError(f"{path} does not say how pictures are normalised: {error!r}") from error


class SwinExpression(Served):
    """The graph of the step `expression`: FACES u8 [m, 112, 112, 3] RGB -> LOGITS [m, 7], EMBEDDING [m, d].

    The preprocessing is the checkpoint's own.
    """

    resize: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, model: Swinv2ForImageClassification, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.backbone, self.classifier = model.swinv2, model.classifier
        self.channels = model.config.num_channels
        self.factor = preprocessing.factor
        self.emotions = to_emotions(model.config)
        self.register_buffer("resize", resizing(FACE_PX, _side(model.config.image_size)))
        self.register_buffer("mean", torch.tensor(preprocessing.mean).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(preprocessing.std).reshape(-1, 1, 1))

    @classmethod
    def load(cls, folder: Path) -> SwinExpression:
        """Read a folder with config.json, model.safetensors and preprocessor_config.json."""
        return cls(pretrained.load(Swinv2ForImageClassification, folder), Preprocessing.read(folder))

    def example(self) -> tuple[Tensor]:
        """Two blank faces."""
        return (torch.zeros(2, FACE_PX, FACE_PX, 3, dtype=torch.uint8),)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """UINT8 [m, 112, 112, 3] RGB -> LOGITS [m, 7], EMBEDDING [m, d]."""
        channels = grey(faces)[:, None] if self.channels == 1 else faces.float().permute(0, 3, 1, 2)
        resized = self.resize @ channels @ self.resize.T
        pooled = self.backbone((resized * self.factor - self.mean) / self.std).pooler_output
        return self.emotions(self.classifier(pooled)), pooled


def _side(image_size: int | list[int] | tuple[int, int]) -> int:
    """Return the side of the checkpoint's pictures; TriptychError when they are not square."""
    sides = {image_size} if isinstance(image_size, int) else set(image_size)
    if len(sides) != 1:
        raise TriptychError(f"the checkpoint's pictures are not square: {image_size}")
    return sides.pop()
