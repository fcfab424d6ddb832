"""Reader of a file of tensors: a state as `torch.save` writes it (.pth, .pt, .bin), or safetensors. Nothing is run."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from triptych.errors import TriptychError

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Under which a checkpoint of training keeps the state, beside what is of no use afterwards."""
PARALLEL = "module."
"""Put before each name by PyTorch's DataParallel."""


def read(path: Path) -> dict[str, Tensor]:
    """Return tensors by name, in float32; TriptychError when the file cannot be read, or is of another kind.

    A pickle is read for its tensors only (`weights_only`): no code of it is run.
    """
    try:
        safe = path.suffix == ".safetensors"
        held: object = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError, SafetensorError) as error:
        raise TriptychError(f"cannot read {path}: {error}. If it is damaged or cut short, fetch it again") from error
    state = next((held[key] for key in WRAPPERS if key in held), held) if isinstance(held, Mapping) else held
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise TriptychError(f"{path} holds no tensors by name, as the state of a model does")
    return {str(name).removeprefix(PARALLEL): _float(value) for name, value in state.items()}


def _float(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
