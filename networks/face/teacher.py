"""The face teacher: a small residual CNN with squeeze and excitation, and the stem that Swin-V2 takes over from it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych_client.contract import EMOTIONS

SIDE_PX = 48
"""Side of the grey faces that this project's own networks were made for: that of FER2013's."""
STEM_CHANNELS = 96
"""Channels of the stem's output, and the embedding width of the Swin-V2 that starts from it."""
STEM_STRIDE = 4
"""Pixels to one position of the stem's output."""


class SqueezeExcite(nn.Module):
    """Weighs channels by their means (Hu et al. 2018)."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(channels, channels // reduction),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Input f32 [n, channels, h, w] -> the same shape."""
        return x * self.gate(x.mean((2, 3)))[:, :, None, None]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation and a gate, added to a shortcut (He et al. 2016)."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            SqueezeExcite(channels),
        )
        self.shortcut = nn.Identity() if stride == 1 and channels_in == channels else _projection(channels_in, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Input f32 [n, channels_in, h, w] -> [n, channels, h / stride, w / stride]."""
        return torch.relu(self.body(x) + self.shortcut(x))


def _projection(channels_in: int, channels: int) -> nn.Module:
    """Shortcut of a stride-2 block: average, then a 1x1 convolution (ResNet-D, He et al. 2019)."""
    return nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels))


def make_stem() -> nn.Sequential:
    """Return the early convolutions: [n, 1, h, w] -> [n, 96, h / 4, w / 4]."""
    return nn.Sequential(
        nn.PixelUnshuffle(2),
        nn.Conv2d(4, 48, 3, 1, 1, bias=False),
        nn.BatchNorm2d(48),
        nn.ReLU(inplace=True),
        ResidualBlock(48, 48),
        ResidualBlock(48, STEM_CHANNELS, stride=2),
    )


class FaceCnn(nn.Module):
    """Grey face, zero mean and unit variance [n, 1, h, w] (sides divisible by 8) -> logits [n, 7] over EMOTIONS."""

    def __init__(self, width: int = 192, dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = make_stem()
        self.body = nn.Sequential(
            ResidualBlock(STEM_CHANNELS, STEM_CHANNELS),
            ResidualBlock(STEM_CHANNELS, width, stride=2),
            ResidualBlock(width, width),
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, len(EMOTIONS)))

    def forward(self, faces: Tensor) -> Tensor:
        """Faces f32 [n, 1, h, w] -> logits [n, 7]."""
        return self.head(self.body(self.stem(faces)).mean((2, 3)))
