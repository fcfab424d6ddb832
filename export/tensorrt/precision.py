"""Precision as part of the graph: which operators compute in fp16 or bf16, by casts around them.

TensorRT 11 builds strongly typed networks only, and TensorRT 10 does when it is asked to: each operator computes in the
type of what it reads. So one graph serves both, and what is built is what was compared with PyTorch. The rules are few:

- Products (`PRODUCTS`) take the low precision: they are what costs, and tensor cores add up in fp32.
- What comes before the first product, and what comes after the last, stays in fp32: preparing pictures and sounds;
  probabilities, boxes in pixels, calibration.
- Sums over an axis, quotients, roots, powers and what normalises by them (`EXACT`) stay in fp32: LayerNorm, Softmax,
  and the normalisation of Swin-V2's cosine attention, whose least length of 1e-12 would be 0.
- So does what lies between a product and the softmax, sum or root that reads it: scale, logit scale, position bias,
  mask; the squares of a variance, which fp16 has no numbers for, and their difference from the square of the mean.
- So does an operator with a number that the low precision does not have.
- Operators that only move values (`MOVES`) take them as they come.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

from export.tensorrt.values import Values, constant
from triptych.serving.engines import Precision

ELEMENTS = {Precision.FP16: TensorProto.FLOAT16, Precision.BF16: TensorProto.BFLOAT16}

PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
# fmt: off
EXACT = frozenset({
    "BatchNormalization", "CumSum", "Exp", "GlobalAveragePool", "InstanceNormalization", "LayerNormalization", "Log",
    "LogSoftmax", "LpNormalization", "NonMaxSuppression", "Pow", "Range", "Reciprocal", "ReduceL1", "ReduceL2",
    "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Softmax",
    "Sqrt", "TopK",
})
MOVES = frozenset({
    "Concat", "Expand", "Flatten", "Gather", "GatherElements", "Identity", "Pad", "Reshape", "Slice", "Split",
    "Squeeze", "Tile", "Transpose", "Unsqueeze",
})
# fmt: on
READ_WHOLE = frozenset({"LogSoftmax", "ReduceL2", "ReduceMean", "ReduceSum", "ReduceSumSquare", "Softmax", "Sqrt"})
"""Operators that want what they read in fp32, back to the product that it comes from."""
SHAPES_ONLY = frozenset({"Shape", "Size"})
"""Operators that take a value of any type, and look at none of its numbers."""
ALWAYS_FP32 = {("Resize", 1), ("Resize", 2)}
"""Inputs, by operator and place, that ONNX has in fp32 only."""
LEAST_FP16, MOST_FP16 = 2.0**-24, 65504.0


def lowered(model: ModelProto, precision: Precision) -> ModelProto:
    """Return the graph with casts: its inputs and outputs, and what the rules say, stay as they are."""
    return model if precision is Precision.FP32 else _Writer(Values(model), ELEMENTS[precision]).model()


def emulated(model: ModelProto, precision: Precision) -> ModelProto:
    """Return a graph in fp32 that rounds where `lowered` casts: what tensor cores compute, on any processor.

    Weights, what goes into a low operator and what comes out of it are rounded; sums within it are fp32. ONNX Runtime
    must not optimise it (`ORT_DISABLE_ALL`): a cast to and fro looks needless.
    """
    return model if precision is Precision.FP32 else _Emulator(Values(model), ELEMENTS[precision]).model()


def low_nodes(values: Values) -> set[int]:
    """Return the numbers of the nodes that compute in low precision."""
    nodes = values.graph.node
    products = {number for number, node in enumerate(nodes) if node.op_type in PRODUCTS}
    between = values.before(products) & values.after(products)
    exact = {number for number in between if _is_exact(nodes[number], values)} | _to_be_read_whole(values)
    low: set[int] = set()
    for number, node in enumerate(nodes):
        if node.op_type in MOVES:
            moved = any(values.makers.get(name) in low for name in values.floats(node))
        else:
            moved = number in between and number not in exact and _computes(node, values)
        if number in products or moved:
            low.add(number)
    return low


def _computes(node: NodeProto, values: Values) -> bool:
    """Tell whether an operator makes fp32 of fp32: one that makes it of nothing, or of integers, has a type by name."""
    return any(map(values.is_float, node.input)) and any(map(values.is_float, node.output))


def _is_exact(node: NodeProto, values: Values) -> bool:
    computed = node.op_type == "Div" and node.input[1] not in values.constants
    numbers = (values.constants[name] for name in node.input if values.is_float(name) and name in values.constants)
    return node.op_type in EXACT or computed or any(map(_is_beyond, numbers)) or node.op_type == "Cast"


def _is_beyond(number: np.ndarray) -> bool:
    """Tell whether a constant is one number, no weights, that would become 0 or infinite in fp16."""
    size = abs(float(number.reshape(-1)[0])) if number.size == 1 else 1.0
    return size != 0 and not LEAST_FP16 <= size <= MOST_FP16


def _to_be_read_whole(values: Values) -> set[int]:
    """Return the nodes between a product and a softmax, a sum or a root."""
    nodes = values.graph.node
    readers = [number for number, node in enumerate(nodes) if node.op_type in READ_WHOLE]
    return values.before(readers, lambda number: nodes[number].op_type not in PRODUCTS | EXACT)


class _Writer:
    """Writes a graph node by node, and casts in front of the first that reads a value in another precision."""

    def __init__(self, values: Values, element: int) -> None:
        self.values = values
        self.element = element
        self.low = low_nodes(values)
        self.nodes: list[NodeProto] = []
        self.weights: dict[str, TensorProto] = {}
        self.there: set[str] = set()

    def model(self) -> ModelProto:
        """Return the model."""
        results = {output.name for output in self.values.graph.output}
        for number, node in enumerate(self.values.graph.node):
            self.write(number, node)
            for name in results.intersection(node.output):
                self.high(name)
        graph = self.values.graph
        used = {name for node in self.nodes for name in node.input}
        weights = [weight for weight in graph.initializer if weight.name in used]
        written = helper.make_graph(
            self.nodes, graph.name, graph.input, graph.output, [*weights, *self.weights.values()]
        )
        opsets, version = self.values.model.opset_import, self.values.model.ir_version
        model = helper.make_model(written, opset_imports=opsets, ir_version=version)
        onnx.checker.check_model(model)
        return model

    def write(self, number: int, node: NodeProto) -> None:
        """Write a node, and before it the casts of what it reads."""
        is_low = number in self.low
        copy = NodeProto()
        copy.CopyFrom(node)
        for place, name in enumerate(node.input):
            if self.values.is_float(name):
                fp32 = not is_low or (node.op_type, place) in ALWAYS_FP32
                if node.op_type in SHAPES_ONLY:
                    fp32 = not self.is_made_low(name)
                copy.input[place] = self.high(name) if fp32 else self.lower(name)
        self.nodes.append(copy)
        if is_low:
            self.write_outputs(copy, [place for place, name in enumerate(node.output) if self.values.is_float(name)])

    def write_outputs(self, node: NodeProto, places: Sequence[int]) -> None:
        """Say that a low node gives low values."""
        for place in places:
            node.output[place] = self.low_name(node.output[place])

    def is_made_low(self, name: str) -> bool:
        """Tell whether a low node makes the value."""
        return self.values.makers.get(name) in self.low

    def high(self, name: str) -> str:
        """Return the name of a value in fp32, cast before where that is needed."""
        if self.is_made_low(name) and name not in self.there:
            self.there.add(name)
            self.nodes.append(helper.make_node("Cast", [self.low_name(name)], [name], to=TensorProto.FLOAT))
        return name

    def lower(self, name: str) -> str:
        """Return the name of a value in low precision, cast before where that is needed."""
        low = self.low_name(name)
        if not self.is_made_low(name) and low not in self.there:
            self.there.add(low)
            if name in self.values.constants:
                self.weights[low] = self.weight(low, self.values.constants[name])
            else:
                self.cast(name, low)
        return low

    def low_name(self, name: str) -> str:
        """Return what a value is called in low precision."""
        return f"{name}.{helper.tensor_dtype_to_string(self.element).rpartition('.')[2].lower()}"

    def weight(self, name: str, values: np.ndarray) -> TensorProto:
        """Return a constant in low precision."""
        return constant(name, values, self.element)

    def cast(self, name: str, low: str) -> None:
        """Write the cast of a value to low precision."""
        self.nodes.append(helper.make_node("Cast", [name], [low], to=self.element))


class _Emulator(_Writer):
    """Writes fp32 in the place of low precision, rounded to it."""

    def write_outputs(self, node: NodeProto, places: Sequence[int]) -> None:
        names = [node.output[place] for place in places]
        for place, name in zip(places, names):
            node.output[place] = f"{name}.exact"
        for name in names:
            self.cast(f"{name}.exact", self.low_name(name))

    def high(self, name: str) -> str:
        if self.is_made_low(name) and name not in self.there:
            self.there.add(name)
            self.nodes.append(helper.make_node("Identity", [self.low_name(name)], [name]))
        return name

    def weight(self, name: str, values: np.ndarray) -> TensorProto:
        rounded = onnx.numpy_helper.to_array(constant(name, values, self.element))
        return onnx.numpy_helper.from_array(rounded.astype(np.float32), name)

    def cast(self, name: str, low: str) -> None:
        self.nodes.append(helper.make_node("Cast", [name], [f"{low}.rounded"], to=self.element))
        self.nodes.append(helper.make_node("Cast", [f"{low}.rounded"], [low], to=TensorProto.FLOAT))
