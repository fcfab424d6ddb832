"""A graph as one asks it: what type each value has, who makes it and who reads it, which are constant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from triptych.errors import TriptychError


@dataclass(frozen=True)
class Values:
    """The values of a model's graph, which has its nodes in order and none of them with a graph of its own."""

    model: ModelProto

    @property
    def graph(self) -> GraphProto:
        """The graph itself."""
        return self.model.graph

    @cached_property
    def types(self) -> dict[str, int]:
        """The element type of every value, by name; TriptychError when one cannot be told."""
        graph = onnx.shape_inference.infer_shapes(self.model, strict_mode=True).graph
        typed = (*graph.input, *graph.value_info, *graph.output)
        types = {value.name: value.type.tensor_type.elem_type for value in typed}
        types |= {weight.name: weight.data_type for weight in graph.initializer}
        for node in self.graph.node:
            if any(attribute.type == onnx.AttributeProto.GRAPH for attribute in node.attribute):
                raise TriptychError(f"{node.op_type} {node.name} has a graph of its own: its precision cannot be set")
            if missing := [name for name in node.output if name and not types.get(name)]:
                raise TriptychError(f"the type of {missing[0]}, which {node.op_type} gives, cannot be told")
        return types

    @cached_property
    def constants(self) -> dict[str, np.ndarray]:
        """Every value that is always the same, by name."""
        return {weight.name: numpy_helper.to_array(weight) for weight in self.graph.initializer} | {
            node.output[0]: numpy_helper.to_array(attribute.t)
            for node in self.graph.node
            if node.op_type == "Constant"
            for attribute in node.attribute
            if attribute.name == "value"
        }

    @cached_property
    def makers(self) -> dict[str, int]:
        """The number of the node that makes a value, by the value's name."""
        return {name: number for number, node in enumerate(self.graph.node) for name in node.output if name}

    @cached_property
    def readers(self) -> dict[str, list[int]]:
        """The numbers of the nodes that read a value, by its name."""
        readers: dict[str, list[int]] = {}
        for number, node in enumerate(self.graph.node):
            for name in node.input:
                readers.setdefault(name, []).append(number)
        return readers

    def is_float(self, name: str) -> bool:
        """Tell whether a value is FLOAT, fp32."""
        return bool(name) and self.types[name] == TensorProto.FLOAT

    def floats(self, node: NodeProto) -> list[str]:
        """Return the FLOAT values that a node reads and that differ from input to input."""
        return [name for name in node.input if self.is_float(name) and name not in self.constants]

    def before(self, numbers: Iterable[int], through: Callable[[int], bool] = lambda number: True) -> set[int]:
        """Return the nodes that make what these nodes read, and so on, as long as `through` says to go on."""
        return _reached(numbers, self._sources, through)

    def after(self, numbers: Iterable[int]) -> set[int]:
        """Return the nodes that read what these nodes make, and so on."""
        return _reached(numbers, self._targets, lambda number: True)

    def _sources(self, number: int) -> Iterator[int]:
        return (self.makers[name] for name in self.graph.node[number].input if name in self.makers)

    def _targets(self, number: int) -> Iterator[int]:
        return (reader for name in self.graph.node[number].output for reader in self.readers.get(name, ()))


def constant(name: str, values: np.ndarray, element: int) -> TensorProto:
    """Return an initializer of an element type; what is beyond its numbers becomes its largest, and stays finite.

    So a mask of fp32's least number, or of minus infinity, does not become one that gives NaN.
    """
    dtype = helper.tensor_dtype_to_np_dtype(element)
    most = np.float32(_largest(dtype))
    return numpy_helper.from_array(np.clip(values, -most, most).astype(dtype), name)


def _largest(dtype: np.dtype) -> float:
    import ml_dtypes  # onnx brings it: numpy itself has no bf16

    return float(ml_dtypes.finfo(dtype).max)


def _reached(start: Iterable[int], next_to: Callable[[int], Iterator[int]], through: Callable[[int], bool]) -> set[int]:
    found: set[int] = set()
    waiting = [number for first in start for number in next_to(first)]
    while waiting:
        number = waiting.pop()
        if number not in found and through(number):
            found.add(number)
            waiting += next_to(number)
    return found
