"""Graphs with their weights in 8 bits, for processors: a quarter of the memory, and of what is read of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from onnx import ModelProto

BLOCK = 64
"""Weights that share a scale."""
COMPUTED_IN_INT8 = 4
"""`accuracy_level` of ONNX Runtime's MatMulNBits: what is multiplied with the weights has 8 bits too."""


def weights(model: ModelProto) -> ModelProto:
    """Return the model with the weights of its products in 8 bits, a scale for each block (ONNX Runtime's MatMulNBits).

    It is for graphs that multiply one row, or a few, with each matrix: there the reading of the weights takes the time.
    """
    with _own_logging():
        from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer
        from onnxruntime.quantization.onnx_model import ONNXModel

        config = DefaultWeightOnlyQuantConfig(BLOCK, is_symmetric=True, accuracy_level=COMPUTED_IN_INT8, bits=8)
        quantiser = MatMulNBitsQuantizer(_without_shapes(model), algo_config=config)
        quantiser.process()
    done = quantiser.model
    assert isinstance(done, ONNXModel)
    return done.model


def _without_shapes(model: ModelProto) -> ModelProto:
    """Return a copy without the shapes noted between nodes: PyTorch's names of axes mean other ones to ONNX."""
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    return copy


@contextmanager
def _own_logging() -> Iterator[None]:
    """Keep how this process logs: ONNX Runtime's module sets up the root logger as it is imported, for all INFO."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        root.setLevel(level)
        root.handlers[:] = handlers
