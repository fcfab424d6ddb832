"""An exported graph as TensorRT is given it."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto

from export.tensorrt.precision import lowered
from export.tensorrt.suppression import in_plain_operators
from triptych.serving.engines import Precision


def prepared(path: Path, precision: Precision) -> ModelProto:
    """Return the model of an ONNX file in a precision, with plain operators for what TensorRT does not take.

    Casts come first: boxes in pixels, and what is made of them, stay in fp32 whatever the plain operators are.
    """
    return in_plain_operators(lowered(onnx.load(path), precision))
