"""What a channel's models cost: parameters, file, memory of a fresh process, and time on one core, in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from benchmarks import peak
from benchmarks.channel_data import workload, workloads
from benchmarks.measure import Seconds, interleave
from benchmarks.served import Feeds, Graph

PACKED = "nibbles"
"""Tensors of this name hold two weights of 4 bits in a byte (`networks.words.comparison.PackedEmbedding`)."""


@dataclass(frozen=True)
class Cost:
    """Weights, bytes of the file, peak memory in MiB, and times, by workload."""

    parameters: int
    file_bytes: int
    peak_mib: dict[str, float]
    seconds: dict[str, Seconds]


def measure(graphs: Sequence[Graph], repeats: int) -> list[Cost]:
    """Return the cost of each of a channel's models; they are timed in turn."""
    slot = graphs[0].slot
    seconds = {key: time(graphs, key, repeats) for key in workloads(slot)}
    return [
        Cost(
            parameters(graph.path),
            graph.path.stat().st_size,
            {key: graph_mib(graph.path, workload(graph, key)) for key in workloads(slot)},
            {key: seconds[key][index] for key in workloads(slot)},
        )
        for index, graph in enumerate(graphs)
    ]


def time(graphs: Sequence[Graph], key: str, repeats: int) -> list[Seconds]:
    """Time a workload on each graph, A B C A B C .."""

    def run(graph: Graph) -> Callable[[], object]:
        feeds = workload(graph, key)
        return lambda: graph.answer(feeds)

    return interleave(repeats, *map(run, graphs))


def graph_mib(path: Path, feeds: Feeds) -> float:
    """Return the peak memory in MiB of loading a graph and running it, in a fresh process with ONNX Runtime alone."""
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file.name, **feeds)
        return peak.mib("benchmarks.served:run_once", str(path), file.name)


def parameters(path: Path) -> int:
    """Return the number of weights in a graph: its constant tensors of floats, and of packed bits."""
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT8)
    count = 0
    for tensor in onnx.load(path).graph.initializer:
        if tensor.data_type in kinds:
            count += int(np.prod(tensor.dims)) * (2 if PACKED in tensor.name else 1)
    return count
