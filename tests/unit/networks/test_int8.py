"""Weights in 8 bits: nearly the same products, in a quarter of the bytes, and nothing else of the process changed."""

from __future__ import annotations

import logging

import numpy as np
import onnxruntime as ort
from onnx import ModelProto, TensorProto, helper, numpy_helper

from networks import int8

WIDTH = 256
RNG = np.random.default_rng(0)


def product() -> ModelProto:
    """x f32 [n, 256] -> y f32 [n, 256], a matrix product; what is noted of its shapes is wrong."""
    weight = numpy_helper.from_array(RNG.normal(size=(WIDTH, WIDTH)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Relu", ["z"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", WIDTH])],
        [weight],
        value_info=[helper.make_tensor_value_info("z", TensorProto.FLOAT, ["other", 1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=8)


def test_products_stay_nearly_the_same_in_a_quarter_of_the_bytes():
    model = product()
    small = int8.weights(model)
    x = RNG.normal(size=(3, WIDTH)).astype(np.float32)
    before, after = (ort.InferenceSession(one.SerializeToString()).run(None, {"x": x})[0] for one in (model, small))
    assert np.abs(before - after).max() < 0.02 * np.abs(before).max()
    assert not np.array_equal(before, after)
    assert small.ByteSize() < 0.3 * model.ByteSize()
    assert model.graph.value_info, "the model that was given stays as it is"


def test_how_the_process_logs_stays_as_it_was():
    root = logging.getLogger()
    before = root.level, root.handlers[:], root.manager.disable
    int8.weights(product())
    assert (root.level, root.handlers, root.manager.disable) == before
