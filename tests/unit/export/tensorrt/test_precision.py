"""Casts in the graph: which operators compute in half precision, and that what is delicate does not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from export.gates.measure import run
from export.onnx import checked, to_onnx
from export.tensorrt.precision import EXACT, PRODUCTS, emulated, low_nodes, lowered
from export.tensorrt.values import Values, constant
from samples.attention import WIDTH, Attention, Deviation
from triptych.errors import TriptychError
from triptych.serving.engines import Precision

LOW = (Precision.FP16, Precision.BF16)
ELEMENT = {Precision.FP16: TensorProto.FLOAT16, Precision.BF16: TensorProto.BFLOAT16}
INPUT = np.random.default_rng(0).normal(size=(5, 6, WIDTH)).astype(np.float32)
INPUT[4] = 0
"""The last row is blank: its queries and keys have the length 0."""


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return to_onnx(Attention())


def types(model: onnx.ModelProto) -> dict[str, int]:
    return Values(model).types


@pytest.mark.parametrize("precision", LOW)
def test_products_compute_low_and_what_is_delicate_does_not(model: onnx.ModelProto, precision: Precision):
    low = lowered(model, precision)
    of = types(low)
    read = [(node.op_type, of[name]) for node in low.graph.node for name in node.input if name]
    assert {element for operator, element in read if operator in PRODUCTS} == {ELEMENT[precision]}
    assert {operator for operator, element in read if element == ELEMENT[precision]}.isdisjoint(EXACT)
    assert Counter(node.op_type for node in low.graph.node)["Softmax"] == 1
    assert of["LOGITS"] == of["x"] == TensorProto.FLOAT


def test_between_a_product_and_its_softmax_all_is_fp32(model: onnx.ModelProto):
    values = Values(model)
    nodes = model.graph.node
    (softmax,) = [number for number, node in enumerate(nodes) if node.op_type == "Softmax"]
    between = values.before([softmax], lambda number: nodes[number].op_type not in PRODUCTS)
    assert {"Mul", "Add"} <= {nodes[number].op_type for number in between}
    assert between.isdisjoint(low_nodes(values))


def test_squares_that_half_precision_has_no_numbers_for_are_fp32():
    """900 squared is more than fp16 holds, and the deviation is the small difference of two such numbers."""
    model = to_onnx(Deviation())
    exact, low = run(model, {"x": INPUT})["LOGITS"], run(emulated(model, Precision.FP16), {"x": INPUT})["LOGITS"]
    assert np.isfinite(low).all()
    assert 0 < np.abs(low - exact).max() < 0.2


@pytest.mark.parametrize("precision", LOW)
def test_half_precision_is_near_and_a_blank_row_is_a_number(model: onnx.ModelProto, precision: Precision):
    exact, low = run(model, {"x": INPUT})["LOGITS"], run(emulated(model, precision), {"x": INPUT})["LOGITS"]
    assert np.isfinite(low).all()
    assert 0 < np.abs(low - exact).max() < {Precision.FP16: 0.01, Precision.BF16: 0.08}[precision]


def test_the_emulation_is_what_onnx_runtime_makes_of_the_casts(model: onnx.ModelProto):
    session = ort.InferenceSession(lowered(model, Precision.FP16).SerializeToString())
    (cast,) = session.run(["LOGITS"], {"x": INPUT})
    emulation = run(emulated(model, Precision.FP16), {"x": INPUT})["LOGITS"]
    exact = run(model, {"x": INPUT})["LOGITS"]
    assert np.abs(cast - emulation).max() < 3 * np.abs(emulation - exact).max()


def test_fp32_is_the_graph_as_it_is(model: onnx.ModelProto):
    assert lowered(model, Precision.FP32) is model
    assert emulated(model, Precision.FP32) is model


@pytest.mark.parametrize("step", ["expression", "face_detector", "sound_tagger"])
@pytest.mark.parametrize("precision", LOW)
def test_served_graphs_keep_their_names_and_types(repository: Path, step: str, precision: Precision):
    file = "batched.onnx" if step == "face_detector" else "model.onnx"
    model = onnx.load(repository / step / "1" / file)
    low = lowered(model, precision)
    before, after = types(model), types(low)
    names = [value.name for value in (*model.graph.input, *model.graph.output)]
    assert [value.name for value in (*low.graph.input, *low.graph.output)] == names
    assert [after[name] for name in names] == [before[name] for name in names]
    products = [node for node in low.graph.node if node.op_type in PRODUCTS]
    assert products
    assert all(after[node.input[0]] == ELEMENT[precision] for node in products)
    for node in low.graph.node:  # whatever is joined is of one type
        if node.op_type in {"Add", "Mul", "Sub", "Div", "Concat", "Where", "Clip", "Max", "Gemm", "MatMul", "Conv"}:
            mixed = {after[name] for name in node.input if name and after[name] not in (TensorProto.BOOL,)}
            assert len(mixed) == 1, (node.op_type, node.name)


def test_boxes_are_made_in_fp32(repository: Path):
    """Pixels up to 640 would be half a pixel apart in fp16."""
    low = lowered(onnx.load(repository / "face_detector" / "1" / "batched.onnx"), Precision.FP16)
    values = Values(low)
    (suppression,) = [node for node in low.graph.node if node.op_type == "NonMaxSuppression"]
    makers = [low.graph.node[values.makers[name]] for name in suppression.input[:2]]
    assert [values.types[name] for node in makers for name in node.input if values.is_float(name)]
    assert TensorProto.FLOAT16 not in {values.types[name] for node in makers for name in node.input if name}


def test_a_mask_of_the_least_number_stays_finite():
    mask = np.array([0, np.finfo(np.float32).min, -np.inf], np.float32)
    as_fp16 = onnx.numpy_helper.to_array(constant("mask", mask, TensorProto.FLOAT16))
    assert as_fp16.tolist() == [0, -65504, -65504]
    as_bf16 = onnx.numpy_helper.to_array(constant("mask", mask, TensorProto.BFLOAT16)).astype(np.float32)
    assert np.isfinite(as_bf16).all()


def test_a_graph_within_a_graph_is_refused(repository: Path):
    with pytest.raises(TriptychError, match=r"Scan .* has a graph of its own"):
        lowered(onnx.load(repository / "face_detector" / "1" / "model.onnx"), Precision.FP16)


def test_an_output_that_a_product_makes_is_fp32():
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 2], [1, 0, 0, 1])
    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("x", "y")]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = checked(helper.make_graph([node], "g", sides[:1], sides[1:], [weight]))
    x = np.array([[1 + 2**-12, 3]], np.float32)
    assert run(emulated(model, Precision.FP16), {"x": x})["y"].tolist() == [[1, 3]]
    low = lowered(model, Precision.FP16)
    assert types(low)["y"] == TensorProto.FLOAT
    assert run(low, {"x": x})["y"] == pytest.approx(x, abs=2**-10)  # on a CPU, ONNX Runtime leaves needless casts out
