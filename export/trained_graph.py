"""What the exports of this project's own trained channels share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from onnxscript import ir
from torch import Tensor, nn

from export.onnx_graph import ONNX_TYPES
from export.quiet import quiet
from triptych_client import contract

WEIGHTS = "model.safetensors"
OPSET = 18


def save(
    model: nn.Module, example: Tensor | tuple[Tensor, ...], step: contract.Step, path: Path, outputs: Sequence[str]
) -> None:
    """Write `model` as one ONNX file with a free batch axis.

    `example` has the step's first inputs, those that the model takes. The others are declared and left unused, since
    Triton wants a graph to have the inputs of its config (TensorRT warns of such inputs and keeps them).
    """
    examples = (example,) if isinstance(example, Tensor) else example
    taken, unused = step.inputs[: len(examples)], step.inputs[len(examples) :]
    with torch.no_grad(), quiet():
        program = torch.onnx.export(
            model.eval(),
            examples,
            dynamo=True,
            dynamic_shapes=tuple({0: torch.export.Dim.DYNAMIC} for _ in examples),
            opset_version=OPSET,
            input_names=[tensor.name for tensor in taken],
            output_names=list(outputs),
            verbose=False,
        )
    assert program is not None
    inputs = program.model.graph.inputs
    shape = inputs[0].shape
    assert shape is not None
    inputs.extend(_declared(tensor, shape[0]) for tensor in unused)
    program.save(path, external_data=False)


def _declared(tensor: contract.Tensor, batch: ir.SymbolicDim | int) -> ir.Value:
    """Return an input of the contract as a value of a graph, with its batch axis in front."""
    element = ir.TensorType(ir.DataType(ONNX_TYPES[tensor.dtype]))
    return ir.Value(name=tensor.name, shape=ir.Shape([batch, *tensor.dims]), type=element)
