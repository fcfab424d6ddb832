"""What is served of a network: the files of a model, as a catalogue entry's network hands them to the exporter.

A network is loaded from the folders of its entry's files: `load(own, *needed)`, in the order of the catalogue. It
returns a `Served` module, which becomes `model.onnx`, or `Parts`, where a model is several files or no PyTorch at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from onnx import GraphProto, ModelProto
from torch import nn
from torch.export import Dim
from torch.utils import _pytree as pytree

GRAPH = "model.onnx"
"""The file of a model that is one graph."""
OPSET = 18


class Served(nn.Module):
    """A network as a step serves it: preprocessing, model and calibration, as one graph.

    Inputs and outputs bear the names that the contract gives the step's, in that order, unless `inputs` and `outputs`
    name others. A network may leave out the last inputs: they are declared in its graph and unused.
    """

    opset: int = OPSET
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    translations: Mapping[Any, Callable[..., Any]] = MappingProxyType({})
    """Operators of our own, and the functions that write each into a graph."""

    def example(self) -> tuple[Any, ...]:
        """Return inputs to trace `forward` with: two rows or more, since one row or none is another graph."""
        raise NotImplementedError(f"{type(self).__name__} has no example()")

    def free_axes(self) -> Any:
        """Return the axes of any length, as `torch.export` takes them; here the first axis of each input."""
        return pytree.tree_map(lambda _: {0: Dim.DYNAMIC}, self.example())


@dataclass(frozen=True)
class Derived:
    """A graph that is made of the graph in another file of the model."""

    of: str
    change: Callable[[ModelProto], ModelProto]


Part = Served | GraphProto | Derived | str
"""The content of one file: a network, a graph that is ready, one made of another, or a text."""
Parts = Mapping[str, Part]
"""File name -> content."""
