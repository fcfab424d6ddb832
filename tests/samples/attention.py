"""Small networks with everything that is delicate in half precision, as graphs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from networks.served import Served

WIDTH = 24


class Attention(Served):
    """x f32 [n, 6, 24] -> logits [n, 7]: cosine attention with a logit scale and a mask of fp32's least number.

    So Swin-V2's normalisation and BERT's mask in one, with LayerNorm, GELU, a mean and a temperature.
    """

    inputs = ("x",)
    outputs = ("LOGITS",)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.project = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.scale = nn.Parameter(torch.tensor([math.log(30.0)]))
        self.norm = nn.LayerNorm(WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 7)
        mask = torch.zeros(6, 6)
        mask[:, 4:] = torch.finfo(torch.float32).min
        self.register_buffer("mask", mask)

    def example(self) -> tuple[Tensor]:
        """Two rows."""
        return (torch.ones(2, 6, WIDTH),)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [n, 7]."""
        query, key, value = self.project(x).chunk(3, dim=-1)
        cosines = functional.normalize(query, dim=-1) @ functional.normalize(key, dim=-1).transpose(1, 2)
        scores = cosines * self.scale.clamp(max=math.log(100)).exp() + self.mask
        hidden = self.norm(x + scores.softmax(-1) @ value)
        return self.head(functional.gelu(self.mix(hidden)).mean(1)) / 1.7


class Deviation(Served):
    """x f32 [n, 6, 24] -> logits [n, 7]: a head on the deviation of large states over time, as the voice has it."""

    inputs = ("x",)
    outputs = ("LOGITS",)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.project = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 7)
        with torch.no_grad():
            self.project.bias += 300.0
            self.head.weight /= 5

    def example(self) -> tuple[Tensor]:
        """Two rows."""
        return (torch.ones(2, 6, WIDTH),)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [n, 7]."""
        hidden = 3 * self.project(x)
        variance = (hidden * hidden).mean(1) - hidden.mean(1) * hidden.mean(1)
        return self.head(variance.clamp(min=1e-8).sqrt()) / 1.7
