"""What does it cost that the face detector's weights lie outside of the loop over frames?

python -m benchmarks.face_loop [--repeats 10]

Both graphs look at the demo clip's frames one by one (ONNX's Scan) and find the same. ONNX Runtime blocks the channels
of a convolution (NCHWc) where its weights are in the same graph, and the body of a loop is a graph of its own.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import onnx
import onnxruntime as ort
import typer
from onnx import ModelProto

from benchmarks.measure import interleave, publish, table
from benchmarks.served import session
from triptych.commands.demo import make_clip
from triptych.media.limits import Limits
from triptych.media.probe import probe
from triptych.media.video import decode
from triptych.paths import MODEL_REPOSITORY

RESULTS = ["BOXES", "SCORES", "LANDMARKS"]


def main(repeats: Annotated[int, typer.Option(min=3)] = 10) -> None:
    """Time both on one thread, in turn, and compare what they find."""
    inside = onnx.load(MODEL_REPOSITORY / "face_detector" / "1" / "model.onnx")
    graphs = [load(outside(inside)), load(inside)]
    clip = make_clip().read_bytes()
    frames = decode(clip, probe(clip, Limits()).planned_times).frames
    found = [graph.run(RESULTS, {"FRAMES": frames}) for graph in graphs]
    apart = max(float(np.abs(left - right).max()) for left, right in zip(*found))
    before, now = interleave(repeats, *(lambda graph=graph: graph.run(RESULTS, {"FRAMES": frames}) for graph in graphs))
    ratios = np.divide(before.values, now.values)
    cells = [
        f"{1000 * times.least / len(frames):.1f} ({1000 * times.median / len(frames):.1f})" for times in (before, now)
    ]
    header = ("weights outside, ms a frame", "inside, ms a frame", "times as fast, pair by pair")
    text = (
        f"{len(frames)} frames of {frames.shape[2]} x {frames.shape[1]}, one thread; least (median) of {repeats}. "
        f"Boxes, scores and landmarks differ by {apart:.1g} at most.\n\n"
        + table(header, [(*cells, f"{ratios.min():.2f} ({np.median(ratios):.2f})")])
    )
    publish("face_loop", f"python -m benchmarks.face_loop --repeats {repeats}", text)


def outside(model: ModelProto) -> ModelProto:
    """Return the model with the weights of its loop's body in the graph around it."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    (loop,) = model.graph.node
    (body,) = (attribute.g for attribute in loop.attribute if attribute.name == "body")
    model.graph.initializer.extend(body.initializer)
    del body.initializer[:]
    return model


def load(model: ModelProto) -> ort.InferenceSession:
    """Return the graph on one thread."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        return session(path)


if __name__ == "__main__":
    typer.run(main)
