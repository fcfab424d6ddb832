"""The graph of the CNN with time against its network in PyTorch, with random weights."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import ModelProto
from torch import nn

from export.onnx import to_onnx
from networks.face.cnn_time import CnnTime, ServedCnnTime
from samples.expression_inputs import inputs_of
from triptych_client.contract import EMOTIONS, STEPS


@pytest.fixture(scope="module")
def model() -> ServedCnnTime:
    """Random weights everywhere, also where training starts from 0."""
    torch.manual_seed(0)
    network = CnnTime()
    for parameter in network.layers.parameters():
        nn.init.normal_(parameter, std=0.2)
    return ServedCnnTime(network, 1.7).eval()


@pytest.fixture(scope="module")
def exported(model: ServedCnnTime) -> ModelProto:
    return to_onnx(model, STEPS["expression"])


@pytest.fixture(scope="module")
def session(exported: ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(exported.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("count", [1, 2, 7])
def test_exported_graph_equals_the_model(session: onnxruntime.InferenceSession, model: ServedCnnTime, count: int):
    inputs = inputs_of(np.random.default_rng(count).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8))
    answers = session.run(["LOGITS", "EMBEDDING"], inputs)
    with torch.inference_mode():
        expected = model(*map(torch.from_numpy, inputs.values()))
    assert answers[0].shape == (count, len(EMOTIONS))
    for answer, wanted in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, wanted.numpy(), atol=1e-4)


def test_the_graph_resizes_by_a_matrix(exported: ModelProto):
    nodes = {node.op_type for node in exported.graph.node}
    assert "MatMul" in nodes
    assert "Resize" not in nodes, "TensorRT has no antialiased one"


def test_in_the_graph_too_no_clip_sees_another(session: onnxruntime.InferenceSession):
    faces = np.random.default_rng(0).integers(0, 256, (6, 112, 112, 3), dtype=np.uint8)
    one, other = inputs_of(faces[:3]), inputs_of(faces[3:])
    mixed = {name: np.stack([one[name], other[name]], axis=1).reshape(-1, *one[name].shape[1:]) for name in one}
    together = session.run(["LOGITS"], mixed)[0]
    np.testing.assert_allclose(together[0::2], session.run(["LOGITS"], one)[0], atol=1e-4)
    np.testing.assert_allclose(together[1::2], session.run(["LOGITS"], other)[0], atol=1e-4)
