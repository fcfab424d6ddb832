"""A step without a model: a graph that fits the step's contract and answers zeros.

The ensemble stays whole, and fusion, which reads in the manifest that the slot is vacant, gives it no weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from export import onnx_graph
from triptych.errors import TriptychError
from triptych_client import contract

NUMPY_TYPES = {"BOOL": np.bool_, "UINT8": np.uint8, "INT32": np.int32, "INT64": np.int64, "FP32": np.float32}


def build(step: contract.Step) -> GraphProto:
    """Return a graph whose outputs are zeros with the first input's batch size; free axes have length 1.

    TriptychError when the step does not batch: it then has no first axis to answer for.
    """
    if step.max_batch_size == 0:
        raise TriptychError(f"step {step.name} cannot be vacant: it has no batch axis")
    batch = helper.make_node("Shape", [step.inputs[0].name], ["batch"], start=0, end=1)
    sizes = {tensor.name: tuple(max(1, size) for size in tensor.dims) for tensor in step.outputs}
    return helper.make_graph(
        [batch, *(node for tensor in step.outputs for node in _zeros(tensor))],
        f"vacant_{step.name}",
        [onnx_graph.value(tensor) for tensor in step.inputs],
        [onnx_graph.value(tensor, sizes[tensor.name]) for tensor in step.outputs],
        [helper.make_tensor(f"{name}_dims", TensorProto.INT64, [len(dims)], dims) for name, dims in sizes.items()],
    )


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write model.onnx for the step whose version folder `target` is; there are no sources."""
    onnx_graph.save(build(contract.STEPS[target.parent.name]), target / "model.onnx")


def _zeros(tensor: contract.Tensor) -> list[NodeProto]:
    shape = helper.make_node("Concat", ["batch", f"{tensor.name}_dims"], [f"{tensor.name}_shape"], axis=0)
    zero = numpy_helper.from_array(np.zeros(1, NUMPY_TYPES[tensor.dtype]))
    return [shape, helper.make_node("ConstantOfShape", [f"{tensor.name}_shape"], [tensor.name], value=zero)]
