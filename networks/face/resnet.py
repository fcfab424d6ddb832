"""ResNet (He et al. 2016, arXiv:1512.03385) as a backbone, inference only: bottlenecks with the stride in the middle.

Modules bear the names of torchvision's ResNet, whose weights it takes: RetinaFace's reference implementation is built
on that. How many blocks and channels there are is read off the weights: 3, 4, 6, 3 blocks and 64 channels are ResNet50.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn.functional import relu

EXPANSION = 4
"""Channels of a bottleneck's output, over those in its middle."""
FIRST = "conv1.weight"
"""The weights, [channels, 3, 7, 7], that tell a ResNet from other backbones."""


class Bottleneck(nn.Module):
    """Convolutions of 1, 3 and 1 px, each normalised, beside the input itself, or a projection of it."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        out = EXPANSION * channels
        self.conv1 = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels_in, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            if stride > 1 or channels_in != out
            else nn.Identity()
        )

    def forward(self, maps: Tensor) -> Tensor:
        """[n, channels_in, h, w] -> [n, 4 channels, h / stride, w / stride]."""
        inner = relu(self.bn1(self.conv1(maps)))
        inner = relu(self.bn2(self.conv2(inner)))
        return relu(self.bn3(self.conv3(inner)) + self.downsample(maps))


class ResNet(nn.Module):
    """Maps at strides 8, 16 and 32, of 8, 16 and 32 times `channels` channels."""

    def __init__(self, blocks: Sequence[int] = (3, 4, 6, 3), channels: int = 64) -> None:
        super().__init__()
        self.channels = tuple(EXPANSION * channels * factor for factor in (2, 4, 8))
        self.conv1 = nn.Conv2d(3, channels, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = (channels, EXPANSION * channels, *self.channels[:2])
        layers = [
            _layer(channels_in, channels << number, count, stride=1 if number == 0 else 2)
            for number, (channels_in, count) in enumerate(zip(inputs, blocks, strict=True))
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = layers

    @classmethod
    def like(cls, state: Mapping[str, Tensor]) -> ResNet:
        """Return a network, its weights random, of the sizes of a state."""
        counts = [
            len({name.split(".")[1] for name in state if name.startswith(f"layer{number}.")}) for number in range(1, 5)
        ]
        return cls(counts, state[FIRST].shape[0])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[n, 3, H, W] -> the three maps, finest first."""
        first = self.maxpool(relu(self.bn1(self.conv1(images))))
        fine = self.layer2(self.layer1(first))
        middle = self.layer3(fine)
        return fine, middle, self.layer4(middle)


def _layer(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    rest = (Bottleneck(EXPANSION * channels, channels, 1) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(channels_in, channels, stride), *rest)
