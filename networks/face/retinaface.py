"""RetinaFace (Deng et al. 2020, arXiv:1905.00641) with a MobileNet 0.25 backbone, as an inference-only module.

Modules bear the names of the reference implementation (github.com/biubug6/Pytorch_Retinaface, MIT), whose weights it
loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

STRIDES = (8, 16, 32)
"""Pixels between the anchors of the three feature maps."""
ANCHOR_SIZES = ((16, 32), (64, 128), (256, 512))
"""Sides in pixels of the two square anchors at each place of each feature map."""
MEAN_BGR = (104.0, 117.0, 123.0)
"""Subtracted from the input, as in training."""
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
"""Scale of the network's offsets, as in SSD (Liu et al. 2016)."""

WIDTH = 64
LEAK = 0.1

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def convolution(channels_in: int, channels_out: int, size: int, stride: int = 1, active: bool = True) -> nn.Sequential:
    """Return convolution, batch normalisation and, if `active`, leaky ReLU."""
    layers = [
        nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    ]
    return nn.Sequential(*layers, *([nn.LeakyReLU(LEAK)] if active else []))


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
        if isinstance(child, nn.Sequential):
            for index, layer in enumerate(child):
                before = child[index - 1]
                if isinstance(layer, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
                    child[index - 1], child[index] = fuse_conv_bn_eval(before, layer), nn.Identity()
    return module


class Backbone(nn.Module):
    """MobileNet with a quarter of the channels: maps of 64, 128 and 256 channels at strides 8, 16 and 32."""

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
    """Feature pyramid (Lin et al. 2017): each map, with the coarser one enlarged and added; 64 channels each."""

    def __init__(self) -> None:
        super().__init__()
        self.output1 = convolution(64, WIDTH, 1)
        self.output2 = convolution(128, WIDTH, 1)
        self.output3 = convolution(256, WIDTH, 1)
        self.merge1 = convolution(WIDTH, WIDTH, 3)
        self.merge2 = convolution(WIDTH, WIDTH, 3)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Three maps, finest first -> three maps of 64 channels and the same sizes."""
        fine, middle, coarse = self.output1(maps[0]), self.output2(maps[1]), self.output3(maps[2])
        middle = self.merge2(middle + functional.interpolate(coarse, size=middle.shape[-2:], mode="nearest"))
        fine = self.merge1(fine + functional.interpolate(middle, size=fine.shape[-2:], mode="nearest"))
        return fine, middle, coarse


class Context(nn.Module):
    """SSH's context module (Najibi et al. 2017): views of 3, 5 and 7 px side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.conv3X3 = convolution(WIDTH, WIDTH // 2, 3, active=False)
        self.conv5X5_1 = convolution(WIDTH, WIDTH // 4, 3)
        self.conv5X5_2 = convolution(WIDTH // 4, WIDTH // 4, 3, active=False)
        self.conv7X7_2 = convolution(WIDTH // 4, WIDTH // 4, 3)
        self.conv7x7_3 = convolution(WIDTH // 4, WIDTH // 4, 3, active=False)

    def forward(self, features: Tensor) -> Tensor:
        """[n, 64, h, w] -> [n, 64, h, w]."""
        half = self.conv5X5_1(features)
        views = (self.conv3X3(features), self.conv5X5_2(half), self.conv7x7_3(self.conv7X7_2(half)))
        return functional.relu(torch.cat(views, dim=1))


class Head(nn.Module):
    """A 1x1 convolution that gives some values for each of the two anchors at each place."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.values = values
        self.conv1x1 = nn.Conv2d(WIDTH, 2 * values, 1)

    def forward(self, features: Tensor) -> Tensor:
        """[n, 64, h, w] -> [n, 2 h w, values]."""
        return self.conv1x1(features).permute(0, 2, 3, 1).reshape(features.shape[0], -1, self.values)


class RetinaFace(nn.Module):
    """Images -> for every anchor, class logits and the offsets of a box and of five landmarks."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Backbone()
        self.fpn = FeaturePyramid()
        self.ssh1, self.ssh2, self.ssh3 = Context(), Context(), Context()
        self.ClassHead = nn.ModuleList(Head(2) for _ in STRIDES)
        self.BboxHead = nn.ModuleList(Head(4) for _ in STRIDES)
        self.LandmarkHead = nn.ModuleList(Head(10) for _ in STRIDES)

    @classmethod
    def load(cls, weights: Path) -> RetinaFace:
        """Read the reference implementation's checkpoint, as data."""
        state = torch.load(weights, map_location="cpu", weights_only=True)
        model = cls()
        named = {name.removeprefix("module."): value for name, value in state.items()}
        model.load_state_dict({name: value for name, value in named.items() if not name.startswith("body.fc.")})
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
