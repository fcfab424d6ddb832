"""How much is measured on a device, in which precisions, and how a network is brought to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}
"""Precisions that weights and activations are cast to."""
PRECISIONS = ("fp32", "tf32", *HALVES)
"""tf32 keeps float32 in memory; a GPU's tensor cores then multiply with 10 bits of its mantissa."""


@dataclass(frozen=True)
class Plan:
    """What a device has time for.

    `batches`: the largest batch; `depth`: layers of a large network with random weights, None for all; `tokens` that
    Whisper decodes; a cell (one network, batch, precision and mode) takes about `cell_s` seconds, with `least` repeats
    or more, after calls to warm up unless `cell_s` is 0; `matmul`: side of the large products; `copy_mib`: of copies.
    """

    device: str
    batches: int
    depth: int | None
    tokens: int
    cell_s: float
    least: int
    matmul: int
    copy_mib: int

    def sizes(self, batches: Sequence[int]) -> list[int]:
        """Return those batches that the device has time for; at least the first."""
        return [batch for batch in batches if batch <= self.batches] or [batches[0]]


PLANS = {
    "cuda": Plan("cuda", 256, None, 32, 0.1, 3, 8192, 1024),
    "cpu": Plan("cpu", 1, 2, 4, 0.0, 1, 256, 64),
}
"""On a CPU the whole script runs once through, to try what could fail on a GPU: its figures are no measure."""


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Allow TF32 for products and convolutions in `tf32` alone: PyTorch allows it for convolutions by default."""
    backends: Any = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = name == "tf32"
        yield
    finally:
        for backend, allowed in zip(backends, before):
            backend.allow_tf32 = allowed


def lowered(module: nn.Module, parts: Sequence[str], dtype: torch.dtype) -> nn.Module:
    """Cast these parts of a module in place, and what goes into them, and what comes out back to float32.

    What is between the parts (preprocessing, pooling, the last layer of some) stays float32. Without parts all of the
    module is cast, and its inputs are for the caller to cast.
    """
    if not parts:
        return module.to(dtype)
    for name in parts:
        part = module.get_submodule(name).to(dtype)
        part.register_forward_pre_hook(
            lambda _, args, kwargs, dtype=dtype: (cast(args, dtype), cast(kwargs, dtype)), with_kwargs=True
        )
        part.register_forward_hook(lambda _, args, output: cast(output, torch.float32))
    return module


def cast(tree: Any, dtype: torch.dtype) -> Any:
    """Return the same structure with its floating-point tensors cast."""
    return pytree.tree_map_only(Tensor, lambda leaf: leaf.to(dtype) if leaf.is_floating_point() else leaf, tree)
