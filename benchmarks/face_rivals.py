"""Swin-V2 as the face channel has it, and a ViT of equal size on the same stem and tokens, for pictures of any side."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import Swinv2Config, ViTConfig, ViTForImageClassification

from export.onnx import to_onnx
from networks.face.swin import FaceSwin, swin_config
from networks.face.teacher import STEM_CHANNELS, STEM_STRIDE
from networks.served import Served
from triptych_client.contract import EMOTIONS

VIT_WIDTH, VIT_HEADS = 192, 3
"""Those of DeiT-Ti (Touvron et al. 2021), the ViT of this size."""


class FaceVit(nn.Module):
    """Grey faces f32 [n, 1, side, side] -> logits [n, 7]: the stem of Swin-V2, then a plain ViT over its positions."""

    def __init__(self, side_px: int, layers: int, attention: str) -> None:
        super().__init__()
        config = ViTConfig(
            image_size=side_px // STEM_STRIDE,
            patch_size=1,
            num_channels=STEM_CHANNELS,
            hidden_size=VIT_WIDTH,
            num_attention_heads=VIT_HEADS,
            intermediate_size=4 * VIT_WIDTH,
            num_hidden_layers=layers,
            num_labels=len(EMOTIONS),
            attn_implementation=attention,
        )
        self.stem = FaceSwin(swin(side_px)).stem
        self.vit = ViTForImageClassification(config)

    def forward(self, faces: Tensor) -> Tensor:
        """Faces f32 [n, 1, side, side] -> logits [n, 7]."""
        return self.vit(self.stem(faces)).logits


def swin(side_px: int) -> Swinv2Config:
    """Return the face channel's architecture for pictures of this side; the windows stay 6 x 6 positions."""
    config = swin_config()
    config.image_size = side_px // STEM_STRIDE
    return config


@cache
def vit_layers() -> int:
    """Return the depth that brings the ViT nearest to Swin-V2's number of parameters."""
    one, two, wanted = (
        parameters(FaceVit(48, 1, "sdpa")),
        parameters(FaceVit(48, 2, "sdpa")),
        parameters(build("swin", 48)),
    )
    return 1 + round((wanted - one) / (two - one))


def parameters(model: nn.Module) -> int:
    """Return the number of weights."""
    return sum(p.numel() for p in model.parameters())


def build(kind: str, side_px: int) -> nn.Module:
    """Return a network with random weights: "swin", "vit" (attention as written), or "vit-fused" (never all of it)."""
    torch.manual_seed(0)
    if kind == "swin":
        return FaceSwin(swin(side_px))
    return FaceVit(side_px, vit_layers(), {"vit": "eager", "vit-fused": "sdpa"}[kind])


def train_step(kind: str, side_px: int, faces: int) -> None:
    """Take one training step of AdamW in float32 on random pictures."""
    model = build(kind, side_px).train()
    optimizer = torch.optim.AdamW(model.parameters())
    images, labels = torch.randn(faces, 1, side_px, side_px), torch.arange(faces) % len(EMOTIONS)
    cross_entropy(model(images), labels).backward()
    optimizer.step()


class Rival(Served):
    """FACES f32 [n, 1, side, side] -> LOGITS f32 [n, 7], by either network."""

    inputs = ("FACES",)
    outputs = ("LOGITS",)

    def __init__(self, network: nn.Module, side_px: int) -> None:
        super().__init__()
        self.network = network
        self.side_px = side_px

    def example(self) -> tuple[Tensor]:
        """Two blank faces."""
        return (torch.zeros(2, 1, self.side_px, self.side_px),)

    def forward(self, faces: Tensor) -> Tensor:
        """Return the logits."""
        return self.network(faces)


def export(kind: str, side_px: int, path: Path) -> None:
    """Write the network as an ONNX file."""
    onnx.save(to_onnx(Rival(build(kind, side_px), side_px)), path)
