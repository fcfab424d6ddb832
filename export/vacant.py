"""A step without a model: a graph that fits the step's contract and answers zeros.

The ensemble stays whole, and fusion, which reads in the manifest that the slot is vacant, gives it no weight.
"""

from __future__ import annotations

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from tritonclient.utils import triton_to_np_dtype

from triptych.errors import TriptychError
from triptych_client import contract


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
        [_value(tensor, _named(tensor)) for tensor in step.inputs],
        [_value(tensor, sizes[tensor.name]) for tensor in step.outputs],
        [helper.make_tensor(f"{name}_dims", TensorProto.INT64, [len(dims)], dims) for name, dims in sizes.items()],
    )


def _zeros(tensor: contract.Tensor) -> list[NodeProto]:
    shape = helper.make_node("Concat", ["batch", f"{tensor.name}_dims"], [f"{tensor.name}_shape"], axis=0)
    zero = numpy_helper.from_array(np.zeros(1, triton_to_np_dtype(tensor.dtype)))
    return [shape, helper.make_node("ConstantOfShape", [f"{tensor.name}_shape"], [tensor.name], value=zero)]


def _named(tensor: contract.Tensor) -> tuple[int | str, ...]:
    """Return the tensor's axes, free ones named after it."""
    return tuple(f"{tensor.name}_{axis}" if size < 0 else size for axis, size in enumerate(tensor.dims))


def _value(tensor: contract.Tensor, dims: tuple[int | str, ...]) -> ValueInfoProto:
    """Return a tensor of a batching step as a graph's input or output, with a batch axis `n` in front."""
    element = helper.np_dtype_to_tensor_dtype(np.dtype(triton_to_np_dtype(tensor.dtype)))
    return helper.make_tensor_value_info(tensor.name, element, ("n", *dims))
