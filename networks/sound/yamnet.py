"""Audio tags: YAMNet (Plakal and Ellis 2019) as a float graph, from a quantised ONNX file that kept its float weights.

The file simulates 8-bit arithmetic: pairs of QuantizeLinear and DequantizeLinear stand around every operator. Without
them the same operators compute in float32, as the original network did.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper

from networks.served import GRAPH, Parts
from networks.sound import labels, voiced
from triptych.sound.mel import SOUND_FRAMES, SOUND_N_MELS

ARCHIVE = "YamNet_w8a8.onnx.zip"
SIMULATED = {"QuantizeLinear", "DequantizeLinear"}


def load_quantised(source: Path) -> GraphProto:
    """Return the graph as shipped: log-mel uint8 [1, 1, 96, 64] -> class scores uint8 [1, 521]."""
    with TemporaryDirectory() as folder, zipfile.ZipFile(source / ARCHIVE) as archive:
        archive.extractall(folder)
        (path,) = Path(folder).rglob("*.onnx")
        return onnx.load(path).graph


def float_nodes(graph: GraphProto) -> list[NodeProto]:
    """Return copies of the operators without simulated quantisation, wired to each other directly."""
    origins = {node.output[0]: node.input[0] for node in graph.node if node.op_type in SIMULATED}
    nodes = []
    for node in graph.node:
        if node.op_type not in SIMULATED:
            copy = NodeProto()
            copy.CopyFrom(node)
            copy.input[:] = [_origin(name, origins) for name in node.input]
            nodes.append(copy)
    return nodes


def build(quantised: GraphProto, names: Sequence[str]) -> GraphProto:
    """Return the served graph: FEATURES float32 [n, 96, 64] -> TAGS float32 [n, classes], independent probabilities.

    SPEECH_TAGS float32 [n, 2] are made of them, see `networks.sound.voiced`.
    """
    body = [_for_any_batch(node) for node in float_nodes(quantised)]
    summing, places = voiced.nodes(names)
    nodes = [
        helper.make_node("Unsqueeze", ["FEATURES", "channel_axis"], [quantised.input[0].name]),
        *body,
        helper.make_node("Sigmoid", [body[-1].output[0]], ["TAGS"]),
        *summing,
    ]
    used = {name for node in body for name in node.input}
    weights = [weight for weight in quantised.initializer if weight.name in used]
    return helper.make_graph(
        nodes,
        "yamnet",
        [helper.make_tensor_value_info("FEATURES", TensorProto.FLOAT, ["n", SOUND_FRAMES, SOUND_N_MELS])],
        [
            helper.make_tensor_value_info("TAGS", TensorProto.FLOAT, ["n", len(names)]),
            helper.make_tensor_value_info("SPEECH_TAGS", TensorProto.FLOAT, ["n", 2]),
        ],
        [*weights, *places, helper.make_tensor("channel_axis", TensorProto.INT64, [1], [1])],
    )


def load(folder: Path) -> Parts:
    """Return model.onnx, and labels.txt with one class name a line."""
    names = labels.of_yamnet(folder)
    return {GRAPH: build(load_quantised(folder), names), labels.LABELS: labels.as_lines(names)}


def _origin(name: str, origins: Mapping[str, str]) -> str:
    while name in origins:
        name = origins[name]
    return name


def _for_any_batch(node: NodeProto) -> NodeProto:
    """Return the node, or in place of the reshape to [1, 1024] a flattening that keeps the batch axis."""
    return helper.make_node("Flatten", node.input[:1], node.output, axis=1) if node.op_type == "Reshape" else node
