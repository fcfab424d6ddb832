"""What the words channel learnt, as a file: LoRA adapters, head, thresholds, calibration; and how to put it to work.

Nothing here needs peft: an adapter is merged by adding the product of its two matrices.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from triptych.errors import TriptychError
from triptych.files import write_atomically
from triptych_client.contract import EMOTIONS

FILE = "model.safetensors"
DOWN, UP = ".lora_A", ".lora_B"


@dataclass(frozen=True)
class Words:
    """What was learnt.

    `tensors`: `head.weight` [7, d], `head.bias` [7], and of each adapted matrix of the encoder `<name>.lora_A`
    [rank, in] and `<name>.lora_B` [out, rank], their scale within. The head's logits are of each emotion by itself.

    `thresholds`: corpus -> probability, for each of EMOTIONS, above which a text has the emotion; null where the corpus
    has none. `scale` and `offset` [7] turn the head's logits into calibrated ones over all seven (vector scaling).
    """

    tensors: Mapping[str, Tensor]
    thresholds: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    scale: tuple[float, ...] = (1.0,) * len(EMOTIONS)
    offset: tuple[float, ...] = (0.0,) * len(EMOTIONS)

    def head(self, calibrated: bool = True) -> nn.Linear:
        """Return the head over mean states: of calibrated logits as served, else of each emotion's own."""
        weight, bias = self.tensors["head.weight"].float(), self.tensors["head.bias"].float()
        if calibrated:
            scale, offset = torch.tensor(self.scale), torch.tensor(self.offset)
            weight, bias = weight * scale[:, None], bias * scale + offset
        head = nn.Linear(weight.shape[1], weight.shape[0])
        head.load_state_dict({"weight": weight, "bias": bias})
        return head

    def without_adapters(self) -> Words:
        """Return what is left when the adapters are merged."""
        head = {name: value for name, value in self.tensors.items() if name.startswith("head.")}
        return replace(self, tensors=head)

    @torch.no_grad()
    def merge(self, encoder: nn.Module) -> None:
        """Add the adapters to the encoder's matrices, in place. TriptychError when it has not these matrices."""
        for name, down in self.tensors.items():
            if name.endswith(DOWN):
                matrix = name.removesuffix(DOWN)
                change = self.tensors[matrix + UP].float() @ down.float()
                try:
                    encoder.get_submodule(matrix).weight += change  # type: ignore[operator]
                except (AttributeError, RuntimeError) as error:
                    raise TriptychError(f"the words' adapters do not fit this encoder: {error}") from error


def save(words: Words, path: Path) -> None:
    """Write the tensors, numbers with a fraction as fp16, and the rest as metadata."""
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in words.tensors.items()
    }
    metadata = {
        "classes": ",".join(EMOTIONS),
        "thresholds": json.dumps(words.thresholds),
        "scale": json.dumps(words.scale),
        "offset": json.dumps(words.offset),
    }
    write_atomically(path, lambda partial: save_file(tensors, partial, metadata))


def load(path: Path) -> Words:
    """Read the file; TriptychError when it is not there, or was made for other classes."""
    if not path.is_file():
        raise TriptychError(f"there are no trained weights at {path}: run `triptych train`, or fetch the repository's")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    if metadata.get("classes") != ",".join(EMOTIONS) or "head.weight" not in tensors:
        raise TriptychError(f"{path} is not weights of the words channel over {', '.join(EMOTIONS)}")
    thresholds = {corpus: tuple(values) for corpus, values in json.loads(metadata["thresholds"]).items()}
    scale, offset = (tuple(json.loads(metadata[name])) for name in ("scale", "offset"))
    return Words(tensors, thresholds, scale, offset)
