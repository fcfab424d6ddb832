"""What the exports of this project's own trained channels share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from export.quiet import quiet
from triptych_client import contract

WEIGHTS = "model.safetensors"
OPSET = 18


def save(model: nn.Module, example: Tensor, step: contract.Step, path: Path, outputs: Sequence[str]) -> None:
    """Write `model`, which takes the step's one input with a free batch axis, as one ONNX file."""
    (tensor,) = step.inputs
    with torch.no_grad(), quiet():
        program = torch.onnx.export(
            model.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            opset_version=OPSET,
            input_names=[tensor.name],
            output_names=list(outputs),
            verbose=False,
        )
    assert program is not None
    program.save(path, external_data=False)
