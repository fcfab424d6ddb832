"""RetinaFace of checkpoints of one's own. Wiring tests: most are tiny, and all weights are random."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import ResNetBackbone, ResNetConfig

from export import onnx as exporter
from networks.face import detector
from networks.face.resnet import ResNet
from networks.face.retinaface import MEAN_BGR, RetinaFace, decode_boxes
from samples import tiny_retinaface
from triptych.errors import TriptychError
from triptych_client.contract import STEPS

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 70, 97, 3), dtype=np.uint8)


def pictures(frames: np.ndarray) -> Tensor:
    """Frames as the network takes them: BGR, with the mean taken away."""
    image = torch.from_numpy(frames[..., ::-1].copy()).permute(0, 3, 1, 2).float()
    return image - torch.tensor(MEAN_BGR).reshape(1, 3, 1, 1)


def answers(model: RetinaFace, frames: np.ndarray = FRAMES) -> list[Tensor]:
    with torch.inference_mode():
        return list(model(pictures(frames)))


def test_the_backbone_is_the_resnet_of_transformers():
    """An implementation of others, given the same weights; its names are others."""
    torch.manual_seed(0)
    blocks, channels = (2, 3, 1, 2), 8
    sizes = [4 * channels * factor for factor in (1, 2, 4, 8)]
    config = ResNetConfig(
        embedding_size=channels, hidden_sizes=sizes, depths=list(blocks), out_features=["stage2", "stage3", "stage4"]
    )
    theirs = ResNetBackbone(config).eval()
    ours = ResNet(blocks, channels).eval()
    held = theirs.state_dict()
    ours.load_state_dict({name: held[their_name(name)] for name in ours.state_dict()})
    with torch.inference_mode():
        expected = theirs(pictures(FRAMES)).feature_maps
        for mine, wanted in zip(ours(pictures(FRAMES)), expected, strict=True):
            torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-4)


KINDS = {"conv": "convolution", "bn": "normalization"}


def their_name(name: str) -> str:
    """Return what transformers calls a tensor of torchvision's ResNet."""
    found = re.fullmatch(r"layer(\d)\.(\d+)\.(?:(conv|bn)(\d)|downsample\.(\d))\.(\w+)", name)
    if not found:
        kind, _, rest = name.partition("1.")
        return f"embedder.embedder.{KINDS[kind]}.{rest}"
    stage, block, kind, number, shortcut, rest = found.groups()
    inner = f"layer.{int(number) - 1}.{KINDS[kind]}" if kind else f"shortcut.{list(KINDS.values())[int(shortcut)]}"
    return f"encoder.stages.{int(stage) - 1}.layers.{block}.{inner}.{rest}"


def test_as_large_as_resnet50_it_has_its_tensors():
    """Those of torchvision's resnet50 up to layer4: 318 with their counters, of 23.5 million weights."""
    state = ResNet().state_dict()
    assert len(state) == 318
    assert sum(value.numel() for name, value in state.items() if name.endswith(("weight", "bias"))) == 23_508_032
    assert state["layer4.2.conv3.weight"].shape == (2048, 512, 1, 1)
    assert state["layer2.0.downsample.0.weight"].shape == (512, 256, 1, 1)


@pytest.mark.parametrize("form", ["pth", "in a checkpoint of training", "safetensors", "mobilenet"])
def test_a_checkpoint_gives_its_network(form: str, tmp_path: Path):
    model = tiny_retinaface.on_mobilenet() if form == "mobilenet" else tiny_retinaface.on_resnet()
    state = tiny_retinaface.state_as_trained(model)
    path = tmp_path / ("weights.safetensors" if form == "safetensors" else "weights.pth")
    if form == "safetensors":
        save_file({name: value.contiguous() for name, value in state.items()}, path)
    else:
        torch.save({"epoch": 3, "state_dict": state} if form == "in a checkpoint of training" else state, path)
    for mine, wanted in zip(answers(RetinaFace.load(path)), answers(model), strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-3, atol=1e-3)


def test_a_wide_pyramid_does_not_leak_and_a_narrow_one_does():
    wide, narrow = (RetinaFace(ResNet((1, 1, 1, 1), 8), width) for width in (256, 64))
    leaks = [
        {layer.negative_slope for layer in model.modules() if hasattr(layer, "negative_slope")}
        for model in (wide, narrow)
    ]
    assert leaks == [{0.0}, {0.1}]


def test_parity_of_the_graph(tmp_path: Path):
    model = tiny_retinaface.save_resnet(tmp_path)
    exporter.write(detector.load_file(tmp_path / "Resnet50_Final.pth"), STEPS["face_detector"], tmp_path)
    graph = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for size in ((70, 97), (33, 640), (16, 16)):
        frames = np.random.default_rng(1).integers(0, 256, (2, *size, 3), dtype=np.uint8)
        boxes, scores, _ = graph.run(["BOXES", "SCORES", "LANDMARKS"], {"FRAMES": frames})
        logits, offsets, _, anchors = answers(model, frames)
        best = torch.softmax(logits, -1)[..., 1].max(1)
        assert (best.values > detector.SCORE_THRESHOLD).all(), "random weights that find something"
        np.testing.assert_allclose(scores[:, 0], best.values, atol=1e-4)
        for row, place in enumerate(best.indices):
            expected = decode_boxes(offsets[row, place], anchors[place])
            np.testing.assert_allclose(boxes[row, 0], expected, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"a": torch.zeros(2)}, r"is no RetinaFace on MobileNet 0\.25 or a ResNet"),
        ({"a": 3}, "holds no tensors by name"),
        (torch.zeros(2), "holds no tensors by name"),
    ],
)
def test_another_file_of_tensors_is_refused(content: object, reason: str, tmp_path: Path):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(TriptychError, match=reason):
        RetinaFace.load(tmp_path / "other.pth")


def test_a_network_of_other_heads_is_refused(tmp_path: Path):
    state = tiny_retinaface.on_resnet().state_dict()
    state["ClassHead.0.conv1x1.weight"] = torch.zeros(6, 16, 1, 1)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(TriptychError, match=r"is no RetinaFace .*ClassHead\.0\.conv1x1\.weight"):
        RetinaFace.load(tmp_path / "other.pth")


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_file_that_is_cut_short_is_named(name: str, kept: float, tmp_path: Path):
    path, state = tmp_path / name, {"body": torch.arange(5000.0)}
    if path.suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(TriptychError, match=r"cannot read .*cut\.\w+: .*cut short, fetch it again"):
        RetinaFace.load(path)


def test_a_pickle_with_code_in_it_is_not_run(tmp_path: Path):
    class Malicious:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weights": Malicious()}, tmp_path / "bad.pth")
    with pytest.raises(TriptychError, match="cannot read"):
        RetinaFace.load(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()
