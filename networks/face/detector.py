"""The step `face_detector`: RetinaFace with its preprocessing, decoding and non-maximum suppression in one graph."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import onnx
import onnx.compose
import torch
from onnx import TensorProto, helper
from onnxscript import opset18
from torch import Tensor, nn
from torch.export import Dim

from networks.face.retinaface import MEAN_BGR, RetinaFace, decode_boxes, decode_landmarks
from networks.served import GRAPH, Derived, Parts, Served
from triptych_client.contract import MAX_FACES_PER_FRAME

op: Any = opset18
"""ONNX's operators, as functions that write them into a graph."""

WEIGHTS = "mobilenet0.25_Final.pth"

CANDIDATES = 512
"""Anchors that go into the suppression, best first: a face has about ten, so those of some fifty faces."""
SCORE_THRESHOLD = 0.5
"""A candidate is more likely a face than not."""
IOU_THRESHOLD = 0.4
"""Candidates that overlap a better one by more are the same face (the reference implementation's value)."""


class FaceDetector(Served):
    """The graph of the step `face_detector`: FRAMES u8 [n, H, W, 3] RGB -> BOXES, SCORES, LANDMARKS.

    They are those of the best faces of each frame, best first, zeros after the last.
    """

    mean: Tensor

    def __init__(self, network: RetinaFace) -> None:
        super().__init__()
        self.network = taking_rgb(network)
        self.register_buffer("mean", torch.tensor(MEAN_BGR[::-1]).reshape(3, 1, 1))

    def example(self) -> tuple[Tensor]:
        """Two blank frames."""
        return (torch.zeros(2, 96, 128, 3, dtype=torch.uint8),)

    def free_axes(self) -> Any:
        """Frames of any number and size.

        PyTorch's proof needs maps of more than one place; the graph itself works from 1 px on, as the tests show.
        """
        return ({0: Dim.DYNAMIC, 1: Dim.DYNAMIC(min=33), 2: Dim.DYNAMIC(min=33)},)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """UINT8 [n, H, W, 3] RGB -> boxes [n, 32, 4] and landmarks [n, 32, 5, 2] in pixels, scores [n, 32]."""
        centred = frames.float().permute(0, 3, 1, 2) - self.mean  # TensorRT takes bytes into a cast only
        logits, box_offsets, landmark_offsets, anchors = self.network(centred)
        scores = padded(torch.sigmoid(logits[..., 1] - logits[..., 0]))
        scores, best = scores.topk(CANDIDATES)
        anchors = padded(anchors.expand(frames.shape[0], -1, -1))
        chosen = taken(anchors, best)
        boxes = decode_boxes(taken(padded(box_offsets), best), chosen)
        landmarks = decode_landmarks(taken(padded(landmark_offsets), best), chosen)
        scores = scores * torch.ops.triptych.keep_best(boxes, scores)
        scores, best = scores.topk(MAX_FACES_PER_FRAME)
        found = (scores > 0).float().unsqueeze(-1)
        return taken(boxes, best) * found, scores, (taken(landmarks.flatten(2), best) * found).unflatten(-1, (5, 2))


def taking_rgb(network: RetinaFace) -> RetinaFace:
    """Return the same network for RGB: its first convolution's input channels reversed, instead of each picture's."""
    network = deepcopy(network)
    first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    first.weight = nn.Parameter(first.weight.flip(1))
    return network


def padded(rows: Tensor) -> Tensor:
    """Return [n, a + CANDIDATES, ..]: small pictures have fewer anchors than go into the suppression."""
    return torch.cat([rows, rows.new_zeros(rows.shape[0], CANDIDATES, *rows.shape[2:])], dim=1)


def taken(rows: Tensor, indices: Tensor) -> Tensor:
    """Return the rows [n, k, d] of [n, a, d] at indices [n, k]."""
    return rows.gather(1, indices.unsqueeze(-1).expand(-1, -1, rows.shape[-1]))


@torch.library.custom_op("triptych::keep_best", mutates_args=())
def keep_best(boxes: Tensor, scores: Tensor) -> Tensor:
    """Return 1.0 for each box [n, k, 4] that is a face of its own, else 0.0: greedy non-maximum suppression [n, k].

    `scores` [n, k] fall. This is what PyTorch runs; the exported graph has ONNX's own operator in its place.
    """
    keep = torch.zeros_like(scores)
    for image, (corners, chances) in enumerate(zip(boxes, scores)):
        overlaps = iou(corners)
        for box in range(int((chances > SCORE_THRESHOLD).sum())):
            rivals = (overlaps[box, :box] > IOU_THRESHOLD) & (keep[image, :box] > 0)
            keep[image, box] = 0.0 if rivals.any() or keep[image].sum() >= MAX_FACES_PER_FRAME else 1.0
    return keep


@keep_best.register_fake
def _(boxes: Tensor, scores: Tensor) -> Tensor:
    return torch.empty_like(scores)


def iou(boxes: Tensor) -> Tensor:
    """Return the intersection over union of each pair of boxes [k, 4]: [k, k]."""
    corners = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    sides = (torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - corners).clamp(min=0)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    shared = sides.prod(dim=2)
    return shared / (areas[:, None] + areas[None] - shared).clamp(min=1e-9)


def keep_best_onnx(boxes: Any, scores: Any) -> Any:
    """Write `keep_best` as ONNX operators; the selected (frame, class, box) become ones in a mask."""
    row_of_scores = op.Unsqueeze(scores, op.Constant(value_ints=[1]))
    selected = op.NonMaxSuppression(
        boxes,
        row_of_scores,
        op.Constant(value_ints=[MAX_FACES_PER_FRAME]),
        op.Constant(value_floats=[IOU_THRESHOLD]),
        op.Constant(value_floats=[SCORE_THRESHOLD]),
    )
    places = op.Gather(selected, op.Constant(value_ints=[0, 2]), axis=1)
    ones = op.Expand(op.Constant(value_float=1.0), op.Shape(places, end=1))
    return op.ScatterND(op.Mul(scores, op.Constant(value_float=0.0)), places, ones)


def frame_by_frame(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model that runs `model` on one frame of the batch after the other (ONNX's Scan).

    It needs 15 MB instead of 2 GB for 128 frames of 640 x 360, since a frame's first feature maps are far larger than
    the frame. The weights are in the body: where they are outside, ONNX Runtime does not block the channels of its
    convolutions (NCHWc), and they take longer: `benchmarks/face_loop.py` measures it.
    """
    one = onnx.compose.add_prefix(model, "frame/").graph
    frame = helper.make_tensor_value_info("frame", TensorProto.UINT8, ["height", "width", 3])
    nodes = [helper.make_node("Unsqueeze", ["frame", "first_axis"], [one.input[0].name]), *one.node]
    results, outputs = [], []
    for output, batched in zip(model.graph.output, one.output):
        kind, dims = output.type.tensor_type.elem_type, [d.dim_value for d in output.type.tensor_type.shape.dim[1:]]
        nodes.append(helper.make_node("Squeeze", [batched.name, "first_axis"], [f"one/{output.name}"]))
        results.append(helper.make_tensor_value_info(f"one/{output.name}", kind, dims))
        outputs.append(helper.make_tensor_value_info(output.name, kind, ["n", *dims]))
    names = [output.name for output in outputs]
    weights = [*one.initializer, helper.make_tensor("first_axis", TensorProto.INT64, [1], [0])]
    body = helper.make_graph(nodes, "one_frame", [frame], results, initializer=weights)
    scan = helper.make_node("Scan", ["FRAMES"], names, body=body, num_scan_inputs=1)
    graph = helper.make_graph([scan], "face_detector", list(model.graph.input), outputs)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


FaceDetector.translations = {torch.ops.triptych.keep_best.default: keep_best_onnx}


def load(folder: Path) -> Parts:
    """Return the files of the step for the weights in the folder of the default entry."""
    return load_file(folder / WEIGHTS)


def load_file(weights: Path) -> Parts:
    """Return model.onnx, which takes frames one by one, and batched.onnx, from which a TensorRT plan is made."""
    detector = FaceDetector(RetinaFace.load(weights))
    return {"batched.onnx": detector, GRAPH: Derived("batched.onnx", frame_by_frame)}
