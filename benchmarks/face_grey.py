"""What does it cost to turn a face grey inside the graph, as a matrix product and as a sum of weighted planes?

python -m benchmarks.face_grey
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import onnx
import onnxruntime as ort
import torch
import typer
from torch import Tensor

from benchmarks.measure import Seconds, interleave, publish, table
from benchmarks.served import session
from export.onnx import to_onnx
from networks.images import GREY, grey
from networks.served import Served
from triptych_client.contract import FACE_PX

COUNTS = (1, 16)


class Grey(Served):
    """Pictures u8 [m, h, w, 3] -> f32 [m, h, w]."""

    inputs = ("x",)
    outputs = ("y",)

    def example(self) -> tuple[Tensor]:
        """Two blank faces."""
        return (torch.zeros(2, FACE_PX, FACE_PX, 3, dtype=torch.uint8),)


class Product(Grey):
    """Pictures u8 [m, h, w, 3] times the three weights."""

    def forward(self, pictures: Tensor) -> Tensor:
        """Return f32 [m, h, w]."""
        return pictures.float() @ torch.tensor(GREY)


class Planes(Grey):
    """`networks.images.grey`, as the graphs have it."""

    def forward(self, pictures: Tensor) -> Tensor:
        """Return f32 [m, h, w]."""
        return grey(pictures)


def main(repeats: Annotated[int, typer.Option(min=3)] = 100) -> None:
    """Time both on one thread, in turn."""
    product, planes = load(Product()), load(Planes())
    rows = []
    for count in COUNTS:
        faces = np.random.default_rng(0).integers(0, 256, (count, FACE_PX, FACE_PX, 3), dtype=np.uint8)
        as_product, as_planes = interleave(
            repeats, *(partial(graph.run, None, {"x": faces}) for graph in (product, planes))
        )
        ratios = np.divide(as_product.values, as_planes.values)
        rows.append((count, cell(as_product), cell(as_planes), f"{ratios.min():.1f} ({np.median(ratios):.1f})"))
    header = ["faces", "matrix product, ms", "sum of planes, ms", "times as fast, pair by pair"]
    publish("face_grey", "python -m benchmarks.face_grey", f"Least (median) of {repeats}.\n\n{table(header, rows)}")


def load(network: Grey) -> ort.InferenceSession:
    """Return the network's graph on one thread."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "grey.onnx"
        onnx.save(to_onnx(network), path)
        return session(path)


def cell(seconds: Seconds) -> str:
    """Return least and median in milliseconds."""
    return f"{1000 * seconds.least:.3f} ({1000 * seconds.median:.3f})"


if __name__ == "__main__":
    typer.run(main)
