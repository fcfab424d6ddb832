"""What is measured of a graph: its largest difference from its network, and what a lower precision changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import nn

from export.gates.inputs import Feeds
from export.tensorrt.precision import emulated
from triptych.serving.engines import Precision
from triptych.sound.speech import SPEECH_PROBABILITY

Outputs = Mapping[str, np.ndarray]

MOST_DIFFERENCE = 1e-4
"""Of fp32: absolute, or relative where a value is larger than 1 (pixels)."""
LEAST_COSINE = 0.999
CHOICES = ("LOGITS", "TAGS")
"""Outputs whose largest value is the answer."""
FOUND = "SCORES"
"""The output of a detector that is 0 where nothing is."""
SPOKEN = "SPEECH"
"""The output that is a probability of speech."""


@dataclass(frozen=True)
class Gate:
    """One comparison: of which file of which step's model, in which precision, on what; what was found, what may be."""

    step: str
    entry: str
    file: str
    precision: str
    inputs: str
    what: str
    figure: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the figure is within its limit: a cosine is at least that, anything else at most."""
        return self.figure >= self.limit if self.what.startswith("cosine") else self.figure <= self.limit

    @property
    def decides(self) -> bool:
        """Whether a model has to pass it to be served: bf16 is taken by who asks for it, and knows what it costs."""
        return self.precision != Precision.BF16.value


@dataclass(frozen=True)
class Subject:
    """A graph that is measured: of which entry and step, where it lies."""

    step: str
    entry: str
    path: Path

    def gate(self, precision: Precision, inputs: str, what: str, figure: float, limit: float) -> Gate:
        """Return a comparison of it."""
        return Gate(self.step, self.entry, self.path.name, precision.value, inputs, what, figure, limit)


def compare(
    subject: Subject, network: nn.Module | None, precisions: Sequence[Precision], inputs: str, feeds: Feeds
) -> Iterator[Gate]:
    """Yield the comparisons of a graph in fp32 with its network, where it has one, and with itself in precisions."""
    model = onnx.load(subject.path)
    exact = run(model, feeds)
    if network is not None:
        yield against_network(subject, network, inputs, feeds, exact)
    for precision in precisions:
        yield from in_low_precision(subject, precision, inputs, exact, run(emulated(model, precision), feeds))


def against_network(subject: Subject, network: nn.Module, inputs: str, feeds: Feeds, graph: Outputs) -> Gate:
    """Compare what the graph gives with what its network in PyTorch does, which may leave out the last inputs."""
    ours = list(feeds.values())[: len(signature(network.forward).parameters)]
    with torch.inference_mode():
        answer = network.eval()(*map(torch.from_numpy, ours))
    wanted = [tensor.numpy() for tensor in (answer if isinstance(answer, tuple) else (answer,))]
    figure = max(difference(one, other) for one, other in zip(graph.values(), wanted, strict=True))
    return subject.gate(Precision.FP32, inputs, "largest difference from PyTorch", figure, MOST_DIFFERENCE)


def in_low_precision(
    subject: Subject, precision: Precision, inputs: str, exact: Outputs, low: Outputs
) -> Iterator[Gate]:
    """Compare what the graph gives in fp32, and rounded where an engine of that precision rounds."""
    for name, values in exact.items():
        cosine = least_cosine(values, low[name])
        yield subject.gate(precision, inputs, f"cosine of {name}, least of a row", cosine, LEAST_COSINE)
    for name in CHOICES:
        if name in exact:
            others = int((exact[name].argmax(-1) != low[name].argmax(-1)).sum())
            yield subject.gate(precision, inputs, f"rows whose first of {name} is another", others, 0)
    if FOUND in exact:
        others = int(((exact[FOUND] > 0).sum(-1) != (low[FOUND] > 0).sum(-1)).sum())
        yield subject.gate(precision, inputs, "frames with another number of faces", others, 0)
    if SPOKEN in exact:
        others = int(((exact[SPOKEN] >= SPEECH_PROBABILITY) != (low[SPOKEN] >= SPEECH_PROBABILITY)).sum())
        yield subject.gate(precision, inputs, "frames that are speech in one only", others, 0)


def run(model: onnx.ModelProto, feeds: Feeds) -> Outputs:
    """Return the outputs of a graph, computed operator by operator as it is written."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    taken = {value.name: feeds[value.name] for value in session.get_inputs()}
    return dict(zip(names, map(np.asarray, session.run(names, taken)), strict=True))


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference: absolute, of values above 1 relative; infinite where one is no number."""
    away = np.abs(one - other) / np.maximum(np.abs(other), 1)
    return float(away.max(initial=0)) if np.isfinite(away).all() else float("inf")


def least_cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return the least cosine of rows [n, ..] of both; of rows of zeros it is 1, and -1 where one is no number.

    A list [n] is one row: of single numbers every cosine would be 1.
    """
    count = len(one) if one.ndim > 1 else 1
    rows, others = (array.reshape(count, -1).astype(np.float64) for array in (one, other))
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
    cosines = np.divide((rows * others).sum(1), lengths, out=np.ones(len(rows)), where=lengths > 0)
    return float(cosines.min(initial=1)) if np.isfinite(lengths).all() else -1.0


def worst_first(gates: Sequence[Gate]) -> list[Gate]:
    """Return the gates in the order of how near their limits they are, those that do not pass first."""
    return sorted(gates, key=lambda gate: (gate.passed, -_strain(gate)))


def _strain(gate: Gate) -> float:
    """Return what of the limit is used."""
    if gate.what.startswith("cosine"):
        return (1 - gate.figure) / (1 - gate.limit)
    return gate.figure / gate.limit if gate.limit else gate.figure
