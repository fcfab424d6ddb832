"""The graph of the face channel's Swin-V2, as it is served, against its network in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from networks.face.swin import ServedFace
from samples.expression_inputs import inputs_of


@pytest.fixture(scope="module")
def model(weights: Callable[[str], Path]) -> ServedFace:
    return ServedFace.load(weights("swinv2")).eval()


@pytest.fixture(scope="module")
def session(repository: Path) -> onnxruntime.InferenceSession:
    path = repository / "expression" / "1" / "model.onnx"
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("count", [1, 5])
def test_exported_graph_equals_the_model(session: onnxruntime.InferenceSession, model: ServedFace, count: int) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)
    answers = session.run(["LOGITS", "EMBEDDING"], inputs_of(faces))
    with torch.inference_mode():
        expected = model(torch.from_numpy(faces))
    assert answers[0].shape == (count, 7)
    for answer, tensor in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, tensor.numpy(), atol=1e-4)
