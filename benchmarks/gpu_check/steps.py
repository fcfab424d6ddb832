"""How long each step takes, asked alone with rows of the demo clip: what it is given there, repeated to a batch."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import np_to_triton_dtype

from benchmarks.gpu_check.results import Latency
from triptych.serving import wiring
from triptych_client.contract import STEPS, VIDEO

Arrays = Mapping[str, np.ndarray]
LONGEST_MESSAGE = (1 << 31) - 1
OPTIONS = [
    ("grpc.max_send_message_length", LONGEST_MESSAGE),
    ("grpc.max_receive_message_length", LONGEST_MESSAGE),
    ("grpc.enable_http_proxy", 0),
]


def questions(client: triton.InferenceServerClient, clip: bytes) -> dict[str, Arrays]:
    """Send a clip through the graph step by step, and return what each step is given."""
    known: dict[str, np.ndarray] = {VIDEO.name: np.frombuffer(clip, np.uint8)}
    asked: dict[str, Arrays] = {}
    for node in wiring.nodes():
        question = {tensor: known[name] for tensor, name in node.inputs.items()}
        answer = infer(client, node.step.name, question)
        asked[node.step.name] = question
        known.update({name: answer[tensor] for tensor, name in node.outputs.items()})
    return asked


def latencies(
    client: triton.InferenceServerClient, asked: Mapping[str, Arrays], batches: Sequence[int], repeats: int
) -> Iterator[Latency]:
    """Ask each step that batches, with each number of rows that it may have; the first answer is not counted."""
    for name, question in asked.items():
        for batch in (size for size in batches if size <= STEPS[name].max_batch_size):
            rows = {tensor: repeated(array, batch) for tensor, array in question.items()}
            infer(client, name, rows)
            taken = [_seconds(client, name, rows) for _ in range(repeats)]
            yield Latency(name, batch, statistics.median(taken), min(taken), repeats)


def repeated(array: np.ndarray, rows: int) -> np.ndarray:
    """Return so many rows [rows, ...] of an array [n, ...], from its first on, and again."""
    return array[np.arange(rows) % len(array)]


def infer(client: triton.InferenceServerClient, model: str, arrays: Arrays) -> dict[str, np.ndarray]:
    """Ask a step; return its outputs by name."""
    inputs = []
    for name, array in arrays.items():
        inputs.append(triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)))
        inputs[-1].set_data_from_numpy(array)
    answer = client.infer(model, inputs)
    assert answer, "only a call without waiting has none"
    outputs = {tensor.name: answer.as_numpy(tensor.name) for tensor in STEPS[model].outputs}
    return {name: array for name, array in outputs.items() if array is not None}


def connect(url: str) -> triton.InferenceServerClient:
    """Open a connection that takes the largest batches."""
    return triton.InferenceServerClient(url, channel_args=OPTIONS)


def _seconds(client: triton.InferenceServerClient, model: str, arrays: Arrays) -> float:
    start = time.perf_counter()
    infer(client, model, arrays)
    return time.perf_counter() - start
