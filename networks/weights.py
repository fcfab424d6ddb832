"""Trained weights as files: fp16 safetensors, with the classes and the calibration in their metadata."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from triptych.errors import TriptychError
from triptych.files import write_atomically
from triptych_client.contract import EMOTIONS

FILE = "model.safetensors"


def round_to_fp16(model: nn.Module) -> None:
    """Round the model's weights in place to what `save` will keep of them."""
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())


def save(model: nn.Module, temperature: float, path: Path) -> None:
    """Write the weights as fp16. `temperature` divides the logits when served (Guo et al. 2017)."""
    tensors = {
        name: value.half().contiguous() for name, value in model.state_dict().items() if value.is_floating_point()
    }
    metadata = {"temperature": f"{temperature:.4f}", "classes": ",".join(EMOTIONS)}
    write_atomically(path, lambda partial: save_file(tensors, partial, metadata))


def load(model: nn.Module, path: Path) -> float:
    """Read the weights into `model`; return the temperature.

    TriptychError when the file is not there, is damaged, or was made for other classes or another model.
    """
    if not path.is_file():
        raise TriptychError(f"there are no trained weights at {path}: run `triptych train`, or fetch the repository's")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise TriptychError(f"{path} is damaged: {error}. Fetch it again, or train anew.") from error
    counters = {name for name, value in model.state_dict().items() if not value.is_floating_point()}
    if metadata.get("classes") != ",".join(EMOTIONS) or tensors.keys() != model.state_dict().keys() - counters:
        raise TriptychError(f"{path} is not weights of {type(model).__name__} over {', '.join(EMOTIONS)}")
    model.load_state_dict(tensors, strict=False)
    return float(metadata["temperature"])
