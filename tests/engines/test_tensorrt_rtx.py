"""Every graph that becomes an engine, parsed and built by TensorRT-RTX, which needs no GPU: `make test-tensorrt`.

It is left out where TensorRT-RTX is not installed. Its parser, its builder and its rules for types are NVIDIA's; what
is built runs on the GPUs of one architecture. That it is fast, or right, is not told by this.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from benchmarks.stages.networks import audio_transformer, swin_tiny
from benchmarks.stages.plan import PLANS
from export.onnx import to_onnx
from export.tensorrt import build, graph
from export.tensorrt.build import Target
from export.tensorrt.precision import lowered
from export.tensorrt.shapes import SHAPES
from networks.face import cnn_time, mini_xception
from networks.served import Served
from samples.attention import Attention
from triptych.errors import TriptychError
from triptych.paths import OWN_WEIGHTS
from triptych.serving.engines import Precision
from triptych_client.contract import STEPS

rtx = pytest.importorskip("tensorrt_rtx_bindings", reason="`make test-tensorrt` installs it")

CAPABILITIES = [(8, 0), (8, 9), (12, 0)]
"""A100, L4, and RTX PRO 6000: TensorRT-RTX has no architecture of H100 (9.0)."""


def size(path: Path, step: str, precision: Precision, capability: tuple[int, int]) -> int:
    """Build the engine of a graph as `triptych export` does, and return how many bytes it has."""
    engine = build.build(rtx, graph.prepared(path, precision), STEPS[step], SHAPES[step], Target(capability))
    return len(engine)


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("step", SHAPES)
def test_the_default_graphs_are_built(repository: Path, step: str, precision: Precision, capability: tuple[int, int]):
    assert size(repository / step / "1" / SHAPES[step].graph, step, precision, capability) > 100_000


def cnn_with_time(weights: Callable[[str], Path]) -> Served:
    return cnn_time.ServedCnnTime.load(OWN_WEIGHTS / "cnn-time")


def small_xception(weights: Callable[[str], Path]) -> Served:
    return mini_xception.FaceExpression.load(weights("fer-cnn"))


def random_swin(weights: Callable[[str], Path]) -> Served:
    """Swin-V2 tiny, of the published size."""
    return swin_tiny(PLANS["cpu"])


def random_ast(weights: Callable[[str], Path]) -> Served:
    """Two of the layers of the Audio Spectrogram Transformer, each of the published size."""
    return audio_transformer(PLANS["cpu"])


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
@pytest.mark.parametrize(
    ("step", "make"),
    [
        ("expression", cnn_with_time),
        ("expression", small_xception),
        ("expression", random_swin),
        ("sound_tagger", random_ast),
    ],
)
def test_the_other_models_of_the_catalogue_are_built(
    step: str,
    make: Callable[[Callable[[str], Path]], Served],
    precision: Precision,
    weights: Callable[[str], Path],
    tmp_path: Path,
):
    onnx.save(to_onnx(make(weights), STEPS[step]), tmp_path / "model.onnx")
    assert size(tmp_path / "model.onnx", step, precision, CAPABILITIES[0]) > 100_000


def test_onnx_s_own_suppression_is_parsed_and_not_built(repository: Path):
    """Why `suppression.in_plain_operators` is there."""
    model = lowered(onnx.load(repository / "face_detector" / "1" / "batched.onnx"), Precision.FP16)
    with pytest.raises(TriptychError, match="TensorRT"):
        build.build(rtx, model, STEPS["face_detector"], SHAPES["face_detector"], Target(CAPABILITIES[0]))


def test_what_the_parser_does_not_know_is_said(repository: Path):
    model = to_onnx(Attention())
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(TriptychError, match=r"TensorRT does not take the graph of expression: .*NoSuchOperator"):
        build.build(rtx, model, STEPS["expression"], SHAPES["expression"], Target(CAPABILITIES[0]))
