"""Small ONNX graphs written by hand: values as the contract declares them, one self-contained file."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import GraphProto, TensorProto, ValueInfoProto, helper

from triptych_client import contract

OPSET = 18
IR_VERSION = 8
"""Both are read by every ONNX Runtime since 1.14 and by TensorRT."""

ONNX_TYPES = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP32": TensorProto.FLOAT,
}


def value(tensor: contract.Tensor, dims: tuple[int | str, ...] | None = None) -> ValueInfoProto:
    """Return a tensor of a batching step as a graph's input or output, with a batch axis `n` in front.

    `dims` are the model's own where the contract leaves them free; else free axes are named after the tensor.
    """
    free = tuple(f"{tensor.name}_{axis}" if size < 0 else size for axis, size in enumerate(tensor.dims))
    return helper.make_tensor_value_info(tensor.name, ONNX_TYPES[tensor.dtype], ("n", *(dims or free)))


def save(graph: GraphProto, path: Path) -> None:
    """Check a graph and write it; onnx.checker.ValidationError when it is not valid."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
