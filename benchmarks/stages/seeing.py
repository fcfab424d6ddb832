"""Pictures, and the face detector as far as its network goes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import interpolate

from benchmarks.stages.plan import Plan
from benchmarks.stages.random_models import SEED
from networks.face.retinaface import MEAN_BGR, RetinaFace, fold_normalisation

FRAME_H, FRAME_W = 360, 640


def pictures(batch: int, height: int, width: int, generator: Generator) -> Tensor:
    """Return pictures u8 [batch, height, width, 3]: coarse noise, enlarged, so that they have shades and no edges."""
    coarse = torch.rand(batch, 3, 8, 8, generator=generator, device=generator.device)
    fine = interpolate(coarse, (height, width), mode="bilinear")
    return (fine * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def frames(batch: int, generator: Generator) -> tuple[Tensor]:
    """Return frames of a clip u8 [batch, 360, 640, 3]."""
    return (pictures(batch, FRAME_H, FRAME_W, generator),)


class Detection(nn.Module):
    """Frames u8 [n, H, W, 3] -> what RetinaFace says of every anchor: class logits, offsets of boxes and landmarks.

    The suppression that follows in the served graph is an operator of ONNX's, and a loop in PyTorch. The anchors, which
    nobody asks for here, are computed by the host in each call.
    """

    mean: Tensor

    def __init__(self, network: RetinaFace) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN_BGR).reshape(3, 1, 1))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """UINT8 [n, H, W, 3] -> logits [n, a, 2], box offsets [n, a, 4], landmark offsets [n, a, 10]."""
        logits, boxes, landmarks, _ = self.network(pictures.float().permute(0, 3, 1, 2) - self.mean)
        return logits, boxes, landmarks


def retinaface(plan: Plan) -> nn.Module:
    """Return RetinaFace on MobileNet 0.25 with its normalisation folded, as served."""
    torch.manual_seed(SEED)
    return Detection(fold_normalisation(RetinaFace().eval())).to(plan.device)
