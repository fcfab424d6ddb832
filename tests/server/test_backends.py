"""The stand-ins for Triton's native backends, by themselves: a server of their own over small made models."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio
from onnx import TensorProto, helper

from triptych.serving.door import tickets
from triptych.serving.embedded import EmbeddedServer

CONFIG = """
name: "{name}" backend: "{backend}" max_batch_size: {batch}
input [ {{ name: "{input}" data_type: {dtype} dims: [ {dims} ] }} ]
output [ {{ name: "{output}" data_type: {dtype} dims: [ {dims} ] }} ]
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
{batching}
"""
BATCHING = "dynamic_batching { preferred_batch_size: [ 8 ] max_queue_delay_microseconds: 200000 }"

# The broken models of this server must not keep the others from being served.
OPTIONS = ["--exit-on-error=false", "--strict-readiness=false"]

DALI_PIPELINE = """
from nvidia.dali import fn, pipeline_def, types
from nvidia.dali.plugin.triton import autoserialize


@autoserialize
@pipeline_def(batch_size=8, num_threads=1, device_id=None)
def doubled():
    samples = fn.external_source(name="X", device="cpu", dtype=types.FLOAT, ndim=1)
    return fn.slice(samples, start=[0], shape=[2], axes=[0], out_of_bounds_policy="error") * 2.0
"""


def graph(path: Path, node: onnx.NodeProto, dtype: int, shape: list[str | int]) -> None:
    """Write a graph of one node, X -> Y."""
    values = [helper.make_tensor_value_info(name, dtype, shape) for name in ("X", "Y")]
    three = helper.make_tensor("three", TensorProto.INT64, [1], [3])
    wide = helper.make_tensor("wide", TensorProto.INT64, [2], [-1, 3])
    model = helper.make_model(
        helper.make_graph([node], "g", values[:1], values[1:], [three, wide]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.save(model, path)


def add(
    root: Path,
    name: str,
    backend: str,
    *,
    batch: int = 8,
    source: str = "X",
    target: str = "Y",
    dtype: str = "TYPE_FP32",
) -> Path:
    """Write a model's config and return its version folder."""
    folder = root / name / "1"
    folder.mkdir(parents=True)
    text = CONFIG.format(
        name=name,
        backend=backend,
        batch=batch,
        input=source,
        output=target,
        dtype=dtype,
        dims="-1",
        batching=BATCHING if batch else "",
    )
    (root / name / "config.pbtxt").write_text(text)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    root = tmp_path_factory.mktemp("models")
    double = helper.make_node("Add", ["X", "X"], ["Y"])
    graph(add(root, "double", "onnxruntime") / "model.onnx", double, TensorProto.FLOAT, ["n", "k"])
    graph(add(root, "plain", "onnxruntime", batch=0) / "model.onnx", double, TensorProto.FLOAT, ["k"])
    # Fails for every row whose length is not 3, so that one request of a batch can be at fault.
    reshape = helper.make_node("Reshape", ["X", "wide"], ["Y"])
    graph(add(root, "threes", "onnxruntime") / "model.onnx", reshape, TensorProto.FLOAT, ["n", "k"])
    text = helper.make_node("Identity", ["X"], ["Y"])
    graph(add(root, "text", "onnxruntime", dtype="TYPE_STRING") / "model.onnx", text, TensorProto.STRING, ["n", "k"])
    graph(add(root, "misnamed", "onnxruntime", source="Z") / "model.onnx", double, TensorProto.FLOAT, ["n", "k"])
    graph(add(root, "no_such_output", "onnxruntime", target="Z") / "model.onnx", double, TensorProto.FLOAT, ["n", "k"])
    (add(root, "broken", "onnxruntime") / "model.onnx").write_bytes(b"not a graph")
    add(root, "empty", "onnxruntime")
    (add(root, "dali_double", "dali") / "dali.py").write_text(DALI_PIPELINE)
    (add(root, "dali_misnamed", "dali", source="Z") / "dali.py").write_text(DALI_PIPELINE)
    two = DALI_PIPELINE.replace("* 2.0", "* 2.0, samples")
    (add(root, "dali_two_outputs", "dali") / "dali.py").write_text(two, encoding="utf-8")
    (add(root, "dali_raises", "dali") / "dali.py").write_text("raise ValueError('no settings')", encoding="utf-8")
    (add(root, "dali_broken", "dali") / "model.dali").write_bytes(b"not a pipeline")
    add(root, "dali_empty", "dali")
    with EmbeddedServer(root, work=tmp_path_factory.mktemp("work"), options=OPTIONS) as server:
        yield server


@pytest.fixture(scope="module")
def client(small: EmbeddedServer) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(small.grpc_url) as client:
        yield client


def given(array: np.ndarray, module=triton):
    tensor = module.InferInput("X", list(array.shape), "BYTES" if array.dtype == object else "FP32")
    tensor.set_data_from_numpy(array)
    return tensor


async def ask_together(url: str, model: str, arrays: list[np.ndarray]) -> list[np.ndarray | Exception]:
    """Send requests at the same time and return what each got."""
    async with tritonclient.grpc.aio.InferenceServerClient(url) as client:
        calls = [client.infer(model, [given(array, tritonclient.grpc.aio)]) for array in arrays]
        results = await asyncio.gather(*calls, return_exceptions=True)
    return [result if isinstance(result, Exception) else result.as_numpy("Y") for result in results]


def executions(client: triton.InferenceServerClient, model: str) -> tuple[int, int]:
    """Return how many rows and how many executions a model has had."""
    (stats,) = client.get_inference_statistics(model, as_json=False).model_stats
    return stats.inference_count, stats.execution_count


def executions_after(client: triton.InferenceServerClient, model: str, rows: int) -> tuple[int, int]:
    """Return the same once `rows` are counted: Triton counts an execution after it has answered."""
    readings = (executions(client, model) for _ in range(5000))
    return next(reading for reading in readings if reading[0] >= rows)


@pytest.mark.parametrize("model", ["double", "dali_double"])
def test_requests_together_are_one_execution_and_each_gets_its_rows(model, client, small):
    before = executions(client, model)
    arrays = [np.full((2, 2), k, np.float32) for k in range(4)]
    results = asyncio.run(ask_together(small.grpc_url, model, arrays))
    after = executions_after(client, model, before[0] + 8)
    for array, result in zip(arrays, results):
        np.testing.assert_array_equal(result, 2 * array)
    assert after[0] - before[0] == 8
    assert after[1] - before[1] < 4


def test_rows_of_different_shapes_are_answered_side_by_side(small):
    arrays = [np.ones((1, length), np.float32) for length in (1, 5, 5, 2)]
    results = asyncio.run(ask_together(small.grpc_url, "double", arrays))
    assert [result.shape for result in results] == [array.shape for array in arrays]


def test_a_model_without_a_batch_axis(client):
    result = client.infer("plain", [given(np.arange(3, dtype=np.float32))]).as_numpy("Y")
    np.testing.assert_array_equal(result, [0, 2, 4])


@pytest.mark.parametrize("words", [["да".encode(), b"yes"], [b"", b"ends in NUL\0", b"x" * 5000]])
def test_text_passes_through(words, client):
    cells = np.array([words], dtype=object)
    assert client.infer("text", [given(cells)]).as_numpy("Y").tolist() == cells.tolist()


def test_text_that_is_not_utf_8_fails_alone_and_says_so(client, small):
    before = executions(client, "text")
    arrays = [np.array([[word]], dtype=object) for word in (b"one", b"\xff\xfe", b"two")]
    good, bad, also_good = asyncio.run(ask_together(small.grpc_url, "text", arrays))
    assert good.tolist() == [[b"one"]]
    assert also_good.tolist() == [[b"two"]]
    assert isinstance(bad, tritonclient.grpc.aio.InferenceServerException)
    assert (bad.status(), bad.message()) == (
        "StatusCode.INVALID_ARGUMENT",
        "X is not UTF-8: 0xff at byte 0 of a string",
    )
    assert executions_after(client, "text", before[0] + 2)[1] == before[1] + 1, "the three came as one batch"


@pytest.mark.parametrize(("model", "bad_length"), [("threes", 4), ("dali_double", 1)])
def test_a_bad_request_of_a_batch_fails_alone(model, bad_length, small):
    length = 3 if model == "threes" else 2
    arrays = [np.ones((1, n), np.float32) for n in (length, bad_length, length)]
    good, bad, also_good = asyncio.run(ask_together(small.grpc_url, model, arrays))
    assert isinstance(bad, tritonclient.grpc.aio.InferenceServerException)
    assert isinstance(good, np.ndarray)
    assert isinstance(also_good, np.ndarray)


TICKET = {tickets.PARAMETER: 0, tickets.REQUEST_ID: "call-7"}
"""What the door adds to a request."""


@pytest.mark.parametrize(("model", "bad_length"), [("threes", 4), ("dali_double", 1)])
def test_within_the_graph_a_bad_request_gets_numbers_that_are_none_and_a_line_in_the_log(
    model: str, bad_length: int, client, small: EmbeddedServer
):
    result = client.infer(model, [given(np.ones((2, bad_length), np.float32))], parameters=TICKET).as_numpy("Y")
    assert result.shape == (2, 1)
    assert np.isnan(result).all()
    assert f"{model}: request call-7 failed" in small.log.read_text(encoding="utf-8")


def test_a_row_that_an_earlier_step_failed_at_stays_not_a_number(client):
    rows = np.array([[1.0, np.nan], [1.0, 2.0]], np.float32)
    result = client.infer("double", [given(rows)]).as_numpy("Y")
    np.testing.assert_array_equal(result, [[np.nan, np.nan], [2, 4]])


def test_a_dali_pipeline_works_again_after_an_error(client):
    with pytest.raises(triton.InferenceServerException, match="dali"):
        client.infer("dali_double", [given(np.ones((1, 1), np.float32))])
    result = client.infer("dali_double", [given(np.ones((1, 2), np.float32))]).as_numpy("Y")
    np.testing.assert_array_equal(result, [[2, 2]])


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("misnamed", "inputs ['Z'] of config.pbtxt do not fit the graph's ['X']"),
        ("no_such_output", "outputs ['Z'] of config.pbtxt do not fit the graph's ['Y']"),
        ("broken", "cannot load model.onnx"),
        ("empty", "has no model.onnx: run `triptych export`"),
        ("dali_misnamed", "cannot load the pipeline"),
        ("dali_two_outputs", "it has 2 outputs, config.pbtxt names ['Y']"),
        ("dali_raises", "cannot load the pipeline: no settings"),
        ("dali_broken", "cannot load the pipeline"),
        ("dali_empty", "neither model.dali nor dali.py"),
    ],
)
def test_a_model_that_cannot_be_served_says_why(model, reason, client):
    (entry,) = [model_.reason for model_ in client.get_model_repository_index().models if model_.name == model]
    assert reason in entry
