"""The exported face detector against its network in PyTorch and a plain suppression written here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from networks.face import detector as face_detector
from networks.face.retinaface import MEAN_BGR, RetinaFace, decode_boxes, decode_landmarks
from samples import clips
from triptych.face import crop
from triptych.face.boxes import iou
from triptych.media.probe import Limits, probe
from triptych.media.video import decode
from triptych_client.contract import MAX_FACES_PER_FRAME, STEPS

SIZES = [(360, 640), (281, 351), (33, 47), (16, 16), (1, 1), (640, 30)]


@pytest.fixture(scope="module")
def network(weights: Callable[[str], Path]) -> RetinaFace:
    return RetinaFace.load(weights("retinaface-mobilenet025") / face_detector.WEIGHTS)


@pytest.fixture(scope="module")
def served(repository: Path) -> ort.InferenceSession:
    return ort.InferenceSession(repository / "face_detector" / "1" / "model.onnx")


@pytest.fixture(scope="module")
def portrait(weights: Callable[[str], Path]) -> np.ndarray:
    """Eight frames of the demo video: one face in each."""
    data = (weights("demo-video") / "WolfgangLanger_Pexels.mp4").read_bytes()
    return decode(data, probe(data, Limits()).planned_times[::5]).frames


def crowd(portrait: np.ndarray) -> np.ndarray:
    """Two frames of 640 x 640 with many faces, of two sizes and each of its own brightness (no two score alike)."""
    frames = np.zeros((2, 640, 640, 3), np.uint8)
    for frame, step in zip(frames, (3, 5)):
        small = portrait[:, ::step, ::step]
        height, width = small.shape[1:3]
        places = [(y, x) for y in range(0, 641 - height, height) for x in range(0, 641 - width, width)]
        for number, (y, x) in enumerate(places):
            brightness = 1.2 - 0.7 * number / len(places)
            frame[y : y + height, x : x + width] = (small[number % len(small)] * brightness).clip(0, 255)
    return frames


def reference(network: RetinaFace, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Detect in one frame [H, W, 3] with PyTorch, and suppress greedily in plain Python."""
    image = torch.from_numpy(frame[..., ::-1].copy()).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        logits, boxes, landmarks, anchors = network(image - torch.tensor(MEAN_BGR).reshape(1, 3, 1, 1))
    scores = torch.softmax(logits, dim=-1)[0, :, 1].numpy()
    boxes, landmarks = decode_boxes(boxes[0], anchors).numpy(), decode_landmarks(landmarks[0], anchors).numpy()
    kept: list[int] = []
    for candidate in np.argsort(-scores, kind="stable"):
        if scores[candidate] <= face_detector.SCORE_THRESHOLD or len(kept) == MAX_FACES_PER_FRAME:
            break
        if (iou(boxes[candidate][None], boxes[kept]) <= face_detector.IOU_THRESHOLD).all():
            kept.append(int(candidate))
    return boxes[kept], scores[kept], landmarks[kept]


def assert_same(served: ort.InferenceSession, network: RetinaFace, frames: np.ndarray) -> int:
    boxes, scores, landmarks = served.run(["BOXES", "SCORES", "LANDMARKS"], {"FRAMES": frames})
    for row, frame in enumerate(frames):
        want_boxes, want_scores, want_landmarks = reference(network, frame)
        count = len(want_scores)
        assert scores[row, :count] == pytest.approx(want_scores, abs=1e-5)
        assert np.abs(boxes[row, :count] - want_boxes).max(initial=0) < 1e-3  # pixels
        assert np.abs(landmarks[row, :count] - want_landmarks).max(initial=0) < 1e-3
        assert not scores[row, count:].any()
        assert not boxes[row, count:].any()
        assert not landmarks[row, count:].any()
    return int((scores > 0).sum())


def test_parity_on_faces(served: ort.InferenceSession, network: RetinaFace, portrait: np.ndarray):
    assert assert_same(served, network, portrait[:4]) == 4


def test_parity_in_a_crowd(served: ort.InferenceSession, network: RetinaFace, portrait: np.ndarray):
    assert assert_same(served, network, crowd(portrait)) > 35


@pytest.mark.parametrize("degrees", [30, 60, -60, 90, -90])
def test_a_tilted_face_is_found_and_known_to_be_tilted(
    served: ort.InferenceSession, portrait: np.ndarray, degrees: float
):
    """So that it is cut out upright. In the frames taken, no hand hides the face."""
    height, width = portrait.shape[1:3]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turn[:, 2] += (640 - np.array([width, height])) / 2
    for frame in portrait[[0, 1, 4]]:
        rolled = roll(served, cv2.warpAffine(frame, turn, (640, 640))) - roll(served, frame)
        assert abs((rolled - degrees + 180) % 360 - 180) < 20


def roll(served: ort.InferenceSession, frame: np.ndarray) -> float:
    """Return by how many degrees the best face of a frame is turned to be upright in its crop."""
    scores, landmarks = served.run(["SCORES", "LANDMARKS"], {"FRAMES": frame[None]})
    assert scores[0, 0] >= crop.SURE
    turn = crop.similarity(landmarks[0, 0], crop.TEMPLATE)
    return float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))


@pytest.mark.parametrize("size", SIZES)
def test_any_size_of_picture(served: ort.InferenceSession, network: RetinaFace, size: tuple[int, int]):
    frames = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    assert_same(served, network, frames)


@pytest.mark.parametrize("count", [1, 5])
def test_a_frame_s_faces_do_not_depend_on_its_batch(served: ort.InferenceSession, portrait: np.ndarray, count: int):
    alone = served.run(None, {"FRAMES": portrait[:1]})
    among = served.run(None, {"FRAMES": portrait[:count]})
    assert all(np.array_equal(one[0], many[0]) for one, many in zip(alone, among))


def test_the_graph_for_tensorrt_gives_the_same(repository: Path, served: ort.InferenceSession, portrait: np.ndarray):
    batched = ort.InferenceSession(repository / "face_detector" / "1" / "batched.onnx")
    frames = crowd(portrait)
    for one, other in zip(served.run(None, {"FRAMES": frames}), batched.run(None, {"FRAMES": frames})):
        assert np.abs(one - other).max() < 1e-3


def test_pytorch_s_own_suppression_is_that_of_the_graph(network: RetinaFace, served, portrait: np.ndarray):
    detector = face_detector.FaceDetector(network).eval()
    with torch.no_grad():
        ours = detector(torch.from_numpy(portrait[:2]))
    for tensor, array in zip(ours, served.run(None, {"FRAMES": portrait[:2]})):
        assert np.abs(tensor.numpy() - array).max() < 1e-3


def test_nothing_is_found_where_nothing_is(served: ort.InferenceSession):
    assert not served.run(["SCORES"], {"FRAMES": np.stack(clips.greys(3, (320, 240)))})[0].any()


def test_names_and_shapes_are_the_contract_s(served: ort.InferenceSession):
    step = STEPS["face_detector"]
    assert [node.name for node in served.get_inputs()] == [tensor.name for tensor in step.inputs]
    assert {node.name: tuple(node.shape[1:]) for node in served.get_outputs()} == {
        tensor.name: tensor.dims for tensor in step.outputs
    }


def test_the_file_is_self_contained(repository: Path):
    model = onnx.load(repository / "face_detector" / "1" / "model.onnx", load_external_data=False)
    onnx.checker.check_model(model)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
