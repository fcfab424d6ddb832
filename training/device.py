"""Where a model is trained: the CPU, or a GPU that PyTorch sees."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor, nn

from triptych.errors import TriptychError

AUTO, CPU, CUDA = NAMES = ("auto", "cpu", "cuda")
"""What a run can ask for; "auto": the GPU where there is one, else the CPU."""


def resolve(name: str) -> torch.device:
    """Return the device of one of NAMES; TriptychError when it is none, or a GPU where PyTorch sees none."""
    if name not in NAMES:
        raise TriptychError(f"there is no device {name}: --device takes one of {', '.join(NAMES)}")
    available = torch.cuda.is_available()
    if name == CUDA and not available:
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPUs only"
        raise TriptychError(
            f"PyTorch {torch.__version__} ({built}) sees no GPU here: use --device cpu, or install NVIDIA's driver and "
            "a PyTorch built for CUDA"
        )
    return torch.device(CUDA if available and name != CPU else CPU)


def describe(device: torch.device) -> str:
    """Return a device as a model card names it: how many CPU cores, or the GPU's name."""
    if device.type == CUDA:
        return torch.cuda.get_device_name(device)
    cores = os.cpu_count() or 1
    return {1: "one CPU core", 2: "two CPU cores"}.get(cores, f"{cores} CPU cores")


def has_bf16(device: torch.device) -> bool:
    """Return whether the device multiplies bf16 natively; where it does not, bf16 is slower than float32."""
    if device.type == CUDA:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    features = torch.cpu.get_capabilities()
    return bool(features.get("amx_bf16") or features.get("avx512_bf16"))


def move(batch: Any, device: torch.device) -> Any:
    """Return a batch, a tensor or a tuple of them, on a device."""
    if isinstance(batch, tuple):
        return tuple(move(part, device) for part in batch)
    return batch.to(device)


def predict(model: nn.Module, *inputs: Tensor) -> Any:
    """Run a model on inputs that are on the CPU, wherever the model is; return its output there."""
    return model(*move(inputs, next(model.parameters()).device))
