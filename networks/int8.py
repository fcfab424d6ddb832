"""Graphs with their weights in 8 bits, for processors: a quarter of the memory, and of what is read of it.

Both are ONNX Runtime's own quantisation. What it costs in accuracy is measured for each graph that is served so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnx import ModelProto, TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

BLOCK = 64
"""Weights that share a scale."""
COMPUTED_IN_INT8 = 4
"""`accuracy_level` of ONNX Runtime's MatMulNBits: what is multiplied with the weights has 8 bits too."""


def products(model: ModelProto) -> ModelProto:
    """Return the model with its products of matrices in 8 bits: for many rows, whose products take the time.

    Each weight matrix has one scale, and what is multiplied with it gets one as it comes.
    """
    with _quiet(), TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(
            _without_shapes(model),
            path,
            op_types_to_quantize=["MatMul", "Gemm"],
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": TensorProto.FLOAT},  # of what operators of its own domain put out
        )
        return onnx.load(path)


def weights(model: ModelProto) -> ModelProto:
    """Return the model with the weights of its products in 8 bits, a scale for each block: for one row, or a few.

    There it is the reading of the weights that takes the time.
    """
    with _quiet():
        config = DefaultWeightOnlyQuantConfig(BLOCK, is_symmetric=True, accuracy_level=COMPUTED_IN_INT8, bits=8)
        quantiser = MatMulNBitsQuantizer(_without_shapes(model), algo_config=config)
        quantiser.process()
    return quantiser.model.model


def _without_shapes(model: ModelProto) -> ModelProto:
    """Return a copy without the shapes noted between nodes: PyTorch's names of axes mean other ones to ONNX."""
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    return copy


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the advice to fold constants first, which the exporter has done."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
