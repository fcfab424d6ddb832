"""What does it cost to turn a face grey inside the graph, as a matrix product and as a sum of weighted planes?

python -m benchmarks.face_grey
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import onnxruntime as ort
import torch
import typer
from torch import Tensor, nn

from benchmarks.measure import Seconds, interleave, publish, table
from benchmarks.served import session
from export.quiet import quiet
from export.trained_graph import OPSET
from networks.images import GREY, grey
from triptych_client.contract import FACE_PX

COUNTS = (1, 16)


class Product(nn.Module):
    """Pictures u8 [m, h, w, 3] times the three weights."""

    def forward(self, pictures: Tensor) -> Tensor:
        """Return f32 [m, h, w]."""
        return pictures.float() @ torch.tensor(GREY)


class Planes(nn.Module):
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


def load(module: nn.Module) -> ort.InferenceSession:
    """Return the module's graph on one thread."""
    example = torch.zeros(2, FACE_PX, FACE_PX, 3, dtype=torch.uint8)
    with TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "grey.onnx"
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            opset_version=OPSET,
            input_names=["x"],
            verbose=False,
        )
        assert program is not None
        program.save(path)
        return session(path)


def cell(seconds: Seconds) -> str:
    """Return least and median in milliseconds."""
    return f"{1000 * seconds.least:.3f} ({1000 * seconds.median:.3f})"


if __name__ == "__main__":
    typer.run(main)
