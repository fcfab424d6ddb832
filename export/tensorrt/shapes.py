"""For which lengths of its inputs an engine is built: TensorRT's optimisation profile of each step.

Every engine takes what its step may be given, from one row to the step's `max_batch_size`, which is in the contract
only; it is fastest near the usual lengths. Axes that a graph fixes need no word here, so one line serves any model of a
step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from networks.served import GRAPH
from triptych.errors import TriptychError
from triptych.media.pictures import MAX_SIDE_PX
from triptych_client.contract import FRAMES, Step

Dims = tuple[int, ...]


@dataclass(frozen=True)
class Lengths:
    """How long an axis may be, and how long it mostly is."""

    least: int
    usual: int
    most: int


@dataclass(frozen=True)
class Shapes:
    """How the inputs of a step's engine may be shaped.

    `usual_batch`: rows of one request; `graph`: the file that the engine is built from; `free`: by input, the axes of
    any length after the first, in their order.
    """

    usual_batch: int
    graph: str = GRAPH
    free: Mapping[str, tuple[Lengths, ...]] = field(default_factory=dict)

    def of(self, step: Step, name: str, dims: Sequence[int]) -> tuple[Dims, Dims, Dims]:
        """Return the least, the usual and the most dims of an input whose free axes are -1.

        TriptychError when it has an axis of any length that is not told of here.
        """
        free = (Lengths(1, self.usual_batch, step.max_batch_size), *self.free.get(name, ()))
        if sum(size < 0 for size in dims) > len(free):
            raise TriptychError(
                f"{name} of step {step.name} is {list(dims)} in the graph: an engine needs a least and a largest "
                "length of each axis, and export/tensorrt/shapes.py has them for "
                f"{len(free)} of them. Fix the others in the network, or add their lengths there"
            )
        rest = iter(free)
        lengths = [Lengths(size, size, size) if size >= 0 else next(rest) for size in dims]
        least, usual, most = (tuple(getattr(axis, name) for axis in lengths) for name in ("least", "usual", "most"))
        return least, usual, most


SHAPES = {
    # batched.onnx, since model.onnx goes frame by frame, to spare a CPU's memory. 40 frames are 20 s of a clip. A side
    # can be 1 px: a clip of 4096 x 4 px becomes 640 x 1.
    "face_detector": Shapes(
        40, "batched.onnx", {FRAMES.name: (Lengths(1, 360, MAX_SIDE_PX), Lengths(1, MAX_SIDE_PX, MAX_SIDE_PX))}
    ),
    # As many faces as 30 s of a clip with one person have.
    "expression": Shapes(64),
    # 20 s of a clip are about 40 windows of YAMNet's, and three of the Audio Spectrogram Transformer's.
    "sound_tagger": Shapes(32),
}
"""By step."""
