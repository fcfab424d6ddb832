"""For which lengths engines are built: what every step may be given, and whatever frames a clip has."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from export.tensorrt.shapes import SHAPES, Lengths, Shapes
from samples import clips
from triptych.errors import TriptychError
from triptych.media.limits import Limits
from triptych.media.probe import probe
from triptych.media.video import decode
from triptych.serving import engines, profile
from triptych_client.contract import STEPS

FRAMES = (-1, -1, -1, 3)


def test_every_engine_of_a_profile_has_its_lengths():
    bound = {
        step
        for item in profile.read_all()
        for step, table in item.steps.items()
        if table.get("platform") == "tensorrt_plan"
    }
    assert bound == set(SHAPES) == set(engines.steps_of(["--model-config-name=gpu"]))


@pytest.mark.parametrize("step", SHAPES)
def test_an_engine_takes_what_its_step_may_be_given(repository: Path, step: str):
    graph = onnx.load(repository / step / "1" / SHAPES[step].graph).graph
    assert [value.name for value in graph.input] == [tensor.name for tensor in STEPS[step].inputs]
    for value in graph.input:
        dims = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in value.type.tensor_type.shape.dim]
        least, usual, most = SHAPES[step].of(STEPS[step], value.name, dims)
        assert (least[0], most[0]) == (1, STEPS[step].max_batch_size)
        assert all(a <= b <= c for a, b, c in zip(least, usual, most))


@pytest.mark.parametrize(("width", "height"), [(4096, 200), (4096, 16), (200, 4096), (64, 64), (16, 16), (640, 640)])
def test_frames_of_every_shape_are_within_the_engine_of_the_detector(width: int, height: int):
    data = clips.make(clips.greys(1, (width, height)))
    frames = decode(data, probe(data, Limits()).planned_times).frames
    least, _, most = SHAPES["face_detector"].of(STEPS["face_detector"], "FRAMES", FRAMES)
    assert all(low <= size <= high for low, size, high in zip(least, frames.shape, most)), frames.shape


def test_the_narrowest_picture_is_one_pixel_wide():
    least, usual, most = SHAPES["face_detector"].of(STEPS["face_detector"], "FRAMES", FRAMES)
    assert least == (1, 1, 1, 3)
    assert usual == (40, 360, 640, 3)
    assert most == (128, 640, 640, 3)


def test_an_axis_of_any_length_that_nothing_is_said_of_is_refused():
    shapes = Shapes(8, free={"x": (Lengths(1, 2, 3),)})
    assert shapes.of(STEPS["expression"], "x", (-1, 5, -1)) == ((1, 5, 1), (8, 5, 2), (256, 5, 3))
    with pytest.raises(TriptychError, match=r"y of step expression is \[-1, -1\].*shapes.py has them for 1"):
        shapes.of(STEPS["expression"], "y", (-1, -1))
