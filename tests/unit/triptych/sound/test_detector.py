"""The speech detector asked for how long somebody speaks, and what is asked where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from samples import clips
from triptych.sound import detector
from triptych.sound.speech import FRAME_SAMPLES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A detector that gives each frame the largest sample in it as its probability."""
    shape = numpy_helper.from_array(np.array([-1, FRAME_SAMPLES]), "shape")
    nodes = [
        helper.make_node("Reshape", ["PCM", "shape"], ["frames"]),
        helper.make_node("ReduceMax", ["frames"], ["SPEECH"], axes=[1], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "loudest",
        [helper.make_tensor_value_info("PCM", TensorProto.FLOAT, ["samples"])],
        [helper.make_tensor_value_info("SPEECH", TensorProto.FLOAT, ["frames"])],
        [shape],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "model.onnx")
    return tmp_path


def test_seconds_of_speech_are_counted(folder: Path):
    pcm = np.zeros(100 * FRAME_SAMPLES, np.float32)
    pcm[: 25 * FRAME_SAMPLES] = np.tile([0.8, -0.8], 25 * FRAME_SAMPLES // 2)
    assert detector.beside(folder)(pcm) == 0, "at the level of the detector, the loudest sample is 0.1"
    pcm[: 25 * FRAME_SAMPLES : FRAME_SAMPLES] = 50.0
    assert detector.beside(folder)(pcm) == pytest.approx(25 * 0.032)


def test_without_a_detector_the_signs_are_asked(tmp_path: Path):
    speaks = detector.beside(tmp_path)
    assert speaks(clips.syllables(5.0)) == pytest.approx(5.0)
    assert speaks(clips.steady(5.0)) == 0
