"""Random numbers of a generator of PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(shape: int | tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Return f32 of this shape, equally likely anywhere from `low` to `high`."""
    return low + (high - low) * torch.rand(shape, generator=generator)
