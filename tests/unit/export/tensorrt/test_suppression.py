"""Suppression in plain operators: box for box what greedy suppression keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from torch import Tensor

from export.onnx import to_onnx
from export.tensorrt import suppression
from networks.face.detector import FaceDetector, keep_best
from networks.served import Served
from triptych.errors import TriptychError

COUNT = 40


class Keeping(Served):
    """Boxes and falling scores -> which are kept, by ONNX's operator."""

    inputs = ("boxes", "scores")
    outputs = ("kept",)
    translations = FaceDetector.translations

    def example(self) -> tuple[Tensor, Tensor]:
        return torch.rand(2, COUNT, 4), torch.rand(2, COUNT)

    def forward(self, boxes: Tensor, scores: Tensor) -> Tensor:
        return torch.ops.triptych.keep_best(boxes, scores)


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return to_onnx(Keeping())


@pytest.fixture(scope="module")
def mended(model: onnx.ModelProto) -> ort.InferenceSession:
    return ort.InferenceSession(suppression.in_plain_operators(model).SerializeToString())


def kept(session: ort.InferenceSession, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return session.run(["kept"], {"boxes": boxes, "scores": scores})[0]


def falling(count: int, rows: int = 1) -> np.ndarray:
    return np.tile(np.linspace(0.99, 0.3, count, dtype=np.float32), (rows, 1))


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(20, 400))
def test_it_keeps_what_greedy_suppression_keeps(mended: ort.InferenceSession, seed: int, spread: float):
    random = np.random.default_rng(seed)
    centres, sides = random.uniform(0, spread, (3, COUNT, 2)), random.uniform(20, 60, (3, COUNT, 1))
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=2).astype(np.float32)
    scores = falling(COUNT, 3)
    wanted = keep_best(torch.from_numpy(boxes), torch.from_numpy(scores)).numpy()
    overlap = kept(mended, boxes, scores)
    first = np.cumsum(overlap, axis=1) <= 32  # the operator stops there; the best 32 are taken of either
    assert np.array_equal(overlap * first, wanted)


def test_a_chain_in_which_every_second_falls_is_followed_to_its_end(mended: ort.InferenceSession):
    starts = (
        np.arange(COUNT, dtype=np.float32) * 30
    )  # a half of what each covers with the next, a fifth with the one after
    boxes = np.stack([starts, 0 * starts, starts + 90, 0 * starts + 90], axis=1)[None]
    assert kept(mended, boxes, np.linspace(0.99, 0.6, COUNT, dtype=np.float32)[None]).tolist() == [
        [1.0, 0.0] * (COUNT // 2)
    ]


def test_what_is_no_face_neither_stays_nor_drives_others_out(mended: ort.InferenceSession):
    boxes = np.tile(np.array([0, 0, 10, 10], np.float32), (1, COUNT, 1))
    assert not kept(mended, boxes, np.full((1, COUNT), 0.4, np.float32)).any()
    assert kept(mended, boxes, np.full((1, COUNT), 0.6, np.float32)).sum() == 1


def test_the_operator_and_what_only_it_read_are_gone(model: onnx.ModelProto):
    operators = [node.op_type for node in suppression.in_plain_operators(model).graph.node]
    assert operators.count("Loop") == 1
    assert not {"NonMaxSuppression", "ScatterND"} & set(operators)
    assert suppression.in_plain_operators(onnx.load_from_string(PLAIN)) == onnx.load_from_string(PLAIN)


def test_the_whole_detector_finds_the_same(repository: Path):
    model = onnx.load(repository / "face_detector" / "1" / "batched.onnx")
    frames = np.random.default_rng(1).integers(0, 256, (3, 96, 128, 3), dtype=np.uint8)
    before, after = (
        ort.InferenceSession(graph.SerializeToString()).run(None, {"FRAMES": frames})
        for graph in (model, suppression.in_plain_operators(model))
    )
    for one, other in zip(before, after):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_another_use_of_the_operator_is_refused(model: onnx.ModelProto):
    without = onnx.ModelProto()
    without.CopyFrom(model)
    nodes = [node for node in model.graph.node if node.op_type != "ScatterND"]
    (selected,) = [node.output[0] for node in nodes if node.op_type == "NonMaxSuppression"]
    del without.graph.node[:], without.graph.output[:]
    without.graph.node.extend(nodes)
    without.graph.output.append(helper.make_tensor_value_info(selected, onnx.TensorProto.INT64, [None, 3]))
    with pytest.raises(TriptychError, match="makes no mask of its boxes"):
        suppression.in_plain_operators(without)


PLAIN = helper.make_model(
    helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "plain",
        *([helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n"])] for name in ("x", "y")),
    )
).SerializeToString()
