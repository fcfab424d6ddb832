"""Non-maximum suppression in plain operators, in the place of ONNX's NonMaxSuppression.

TensorRT-RTX lacks that operator, TensorRT has it with shapes that the network decides, and TensorRT's EfficientNMS
answers boxes without saying which they were, so that their landmarks are lost. Greedy suppression is the only solution
of `kept[i] = candidate[i] and no kept j before i overlaps i`. Starting from all candidates and asking again and again,
the first i are right after i rounds, and all when a round changes nothing: a handful of rounds in a picture.
"""

from __future__ import annotations

import onnx
from onnx import ModelProto, helper

from export.tensorrt.values import Values
from triptych.errors import TriptychError

OPERATOR = "NonMaxSuppression"
PREFIX = "suppression/"

GRAPH = """
<ir_version: 8, opset_import: ["" : 18]>
suppression (float[n, k, 4] boxes, float[n, k] scores, float iou, float sure) => (float[n, k] kept)
{
    last = Constant <value_ints = [-1]> ()
    one = Constant <value_ints = [1]> ()
    two = Constant <value_ints = [2]> ()
    begin, end = Split <axis = -1, num_outputs = 2> (boxes)
    sides = Sub (end, begin)
    areas = ReduceProd <keepdims = 0> (sides, last)
    begin_i = Unsqueeze (begin, two)
    begin_j = Unsqueeze (begin, one)
    end_i = Unsqueeze (end, two)
    end_j = Unsqueeze (end, one)
    later_begin = Max (begin_i, begin_j)
    earlier_end = Min (end_i, end_j)
    difference = Sub (earlier_end, later_begin)
    shared_sides = Relu (difference)
    shared = ReduceProd <keepdims = 0> (shared_sides, last)
    area_i = Unsqueeze (areas, two)
    area_j = Unsqueeze (areas, one)
    both = Add (area_i, area_j)
    union = Sub (both, shared)
    most = Mul (union, iou)
    overlap = Greater (shared, most)
    overlaps = Cast <to = 1> (overlap)
    below_diagonal = Constant <value_int = -1> ()
    rivals = Trilu <upper = 0> (overlaps, below_diagonal)
    is_candidate = Greater (scores, sure)
    candidate = Cast <to = 1> (is_candidate)
    candidates = Unsqueeze (candidate, two)
    rounds = Constant <value_int = 4096> ()
    go_on = Constant <value = bool {1}> ()
    kept_column = Loop (rounds, go_on, candidates) <body = ask (int64 round, bool going, float[n, k, 1] before)
        => (bool changed, float[n, k, 1] now)
    {
        half = Constant <value_float = 0.5> ()
        beaten_by = MatMul (rivals, before)
        is_unbeaten = Less (beaten_by, half)
        unbeaten = Cast <to = 1> (is_unbeaten)
        now = Mul (unbeaten, candidates)
        difference_now = Sub (now, before)
        size_now = Abs (difference_now)
        largest = ReduceMax <keepdims = 0> (size_now)
        changed = Greater (largest, half)
    }>
    kept = Squeeze (kept_column, two)
}
"""
"""`scores` fall along k; i is the row of `rivals`, and j < i its better rival."""


def in_plain_operators(model: ModelProto) -> ModelProto:
    """Return the model with the mask that its NonMaxSuppression makes, of the boxes [n, k, 4] kept, made otherwise.

    A model without that operator is returned as it is. TriptychError when the operator is not used as `face_detector`
    uses it: its scores a row [n, 1, k], what it selects scattered into a mask [n, k].
    """
    values = Values(model)
    found = [number for number, node in enumerate(model.graph.node) if node.op_type == OPERATOR]
    if not found:
        return model
    after = values.after(found)
    masks = [number for number in after if model.graph.node[number].op_type == "ScatterND"]
    boxes, row, _, iou, sure = model.graph.node[found[0]].input
    row_maker = model.graph.node[values.makers[row]] if row in values.makers else None
    if len(found) != 1 or len(masks) != 1 or row_maker is None or row_maker.op_type != "Unsqueeze":
        raise TriptychError(f"{OPERATOR} makes no mask of its boxes here: it has no form that TensorRT takes")
    mask = model.graph.node[masks[0]]
    return _without_unread(
        model,
        masks[0],
        _nodes({"boxes": boxes, "scores": row_maker.input[0], "iou": iou, "sure": sure}, mask.output[0]),
    )


def _nodes(inputs: dict[str, str], output: str) -> list[onnx.NodeProto]:
    """Return the nodes of GRAPH between values of another graph."""
    graph = onnx.compose.add_prefix_graph(onnx.parser.parse_model(GRAPH).graph, PREFIX)
    taken = [helper.make_node("Identity", [name], [PREFIX + own]) for own, name in inputs.items()]
    return [*taken, *graph.node, helper.make_node("Identity", [graph.output[0].name], [output])]


def _without_unread(model: ModelProto, place: int, nodes: list[onnx.NodeProto]) -> ModelProto:
    """Return the model with `nodes` at a place, in the stead of the node there and what only that one read."""
    mended = ModelProto()
    mended.CopyFrom(model)
    kept = [*model.graph.node[:place], *nodes, *model.graph.node[place + 1 :]]
    read = {output.name for output in model.graph.output}
    whole: list[onnx.NodeProto] = []
    for node in reversed(kept):
        if read.intersection(node.output):
            read.update(node.input)
            read.update(name for inner in _inner(node) for name in inner.input)
            whole.insert(0, node)
    weights = [weight for weight in model.graph.initializer if weight.name in read]
    del mended.graph.node[:], mended.graph.initializer[:]
    mended.graph.node.extend(whole)
    mended.graph.initializer.extend(weights)
    del mended.graph.value_info[:]
    onnx.checker.check_model(mended)
    return mended


def _inner(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return the nodes of a node's own graph."""
    return [inner for attribute in node.attribute if attribute.HasField("g") for inner in attribute.g.node]
