"""Networks as the graphs that are served."""

from __future__ import annotations

import onnxruntime as ort

from export.onnx import to_onnx
from networks.served import Parts, Served
from triptych_client.contract import STEPS


def session_of(network: Served | Parts, step: str) -> ort.InferenceSession:
    """Export a network of a step, or what its model.onnx is of, and load the graph."""
    served = network if isinstance(network, Served) else network["model.onnx"]
    assert isinstance(served, Served)
    model = to_onnx(served, STEPS[step])
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
