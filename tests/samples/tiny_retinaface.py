"""RetinaFace with random weights, saved as the reference implementation saves it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from networks.face.resnet import ResNet
from networks.face.retinaface import MobileNet, RetinaFace


@torch.no_grad()
def lively(model: RetinaFace) -> RetinaFace:
    """Give the normalisations numbers that matter, fresh ones pass everything on; and let it take much for a face."""
    for head in model.ClassHead:
        head.get_parameter("conv1x1.bias")[1::2] += 2.0
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values, low, high in ((layer.weight, 0.5, 1.5), (layer.bias, -0.2, 0.2), (layer.running_var, 0.5, 1.5)):
                nn.init.uniform_(values, low, high)
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
    return model.eval()


def on_resnet(blocks: tuple[int, ...] = (2, 1, 1, 1), channels: int = 8, width: int = 16) -> RetinaFace:
    """Return a small one, or one of another size."""
    torch.manual_seed(0)
    return lively(RetinaFace(ResNet(blocks, channels), width))


def on_mobilenet() -> RetinaFace:
    """Return one on MobileNet 0.25, as large as the published one."""
    torch.manual_seed(0)
    return lively(RetinaFace(MobileNet()))


def state_as_trained(model: RetinaFace) -> dict[str, Tensor]:
    """Return the state as several GPUs leave it, with ImageNet's classifier beside the backbone."""
    state = model.state_dict() | {"body.fc.weight": torch.zeros(10, 4), "body.fc.bias": torch.zeros(10)}
    return {f"module.{name}": value for name, value in state.items()}


def save_resnet(folder: Path) -> RetinaFace:
    """Write Resnet50_Final.pth, small, into a folder; return its network."""
    model = on_resnet()
    torch.save(state_as_trained(model), folder / "Resnet50_Final.pth")
    return model
