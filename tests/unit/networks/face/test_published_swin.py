"""The export of Swin-V2. A wiring test: the checkpoints are tiny and their weights random."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate
from transformers import Swinv2Config, Swinv2ForImageClassification

from networks.class_order import label_order
from networks.face import published_swin
from samples.expression_inputs import inputs_of
from samples.graphs import session_of
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS, FACE_PX

LABELS = ["Happy", "Sad", "Angry", "Neutral", "Surprise", "Disgust", "Fear"]
ORDER = [2, 5, 6, 0, 1, 4, 3]
MEAN = {1: [0.5], 3: [0.485, 0.456, 0.406]}
STD = {1: [0.25], 3: [0.229, 0.224, 0.225]}


def save_checkpoint(folder: Path, channels: int, side: int) -> Swinv2ForImageClassification:
    torch.manual_seed(0)
    config = Swinv2Config(
        image_size=side,
        patch_size=4,
        num_channels=channels,
        embed_dim=24,
        depths=[2, 1],
        num_heads=[2, 4],
        window_size=4,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
        initializer_range=0.5,  # so that random logits differ
    )
    model = Swinv2ForImageClassification(config).eval()
    model.save_pretrained(folder)
    preprocessor = {"image_mean": MEAN[channels], "image_std": STD[channels], "size": {"height": side, "width": side}}
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return model


def reference(model: Swinv2ForImageClassification, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run transformers' own model on pictures prepared here, step by step."""
    pictures = torch.from_numpy(faces).permute(0, 3, 1, 2).float()
    channels, side = model.config.num_channels, model.config.image_size
    if channels == 1:
        pictures = 0.299 * pictures[:, :1] + 0.587 * pictures[:, 1:2] + 0.114 * pictures[:, 2:]
    pictures = interpolate(pictures, (side, side), mode="bilinear", antialias=True) / 255
    pictures = (pictures - torch.tensor(MEAN[channels])[:, None, None]) / torch.tensor(STD[channels])[:, None, None]
    with torch.no_grad():
        return model(pictures).logits[:, ORDER].numpy(), model.swinv2(pictures).pooler_output.numpy()


@pytest.fixture(scope="module", params=[(1, 64), (3, 128)], ids=["grey, smaller", "RGB, larger"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    source = tmp_path_factory.mktemp("checkpoint")
    model = save_checkpoint(source, *request.param)
    return model, session_of(published_swin.SwinExpression.load(source), "expression")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_parity(exported, count: int):
    model, graph = exported
    faces = np.random.default_rng(count).integers(0, 256, (count, FACE_PX, FACE_PX, 3), dtype=np.uint8)
    logits, embedding = graph.run(["LOGITS", "EMBEDDING"], inputs_of(faces))
    want_logits, want_embedding = reference(model, faces)
    assert logits.shape == (count, len(EMOTIONS))
    assert np.abs(logits - want_logits).max() < 1e-4
    assert np.abs(embedding - want_embedding).max() < 1e-4
    assert logits.std() > 0.01


def test_a_row_does_not_depend_on_its_batch(exported):
    _, graph = exported
    faces = np.random.default_rng(0).integers(0, 256, (4, FACE_PX, FACE_PX, 3), dtype=np.uint8)
    together, alone = (graph.run(["LOGITS"], inputs_of(rows))[0] for rows in (faces, faces[2:3]))
    assert together[2:3] == pytest.approx(alone, abs=1e-5)


def test_labels_are_put_into_the_contract_s_order():
    assert label_order(dict(enumerate(LABELS))) == ORDER
    assert label_order({**dict(enumerate(LABELS)), 7: "Contempt"}) == ORDER


def test_a_checkpoint_without_emotions_is_refused():
    with pytest.raises(TriptychError, match="no class for anger"):
        label_order({0: "LABEL_0", 1: "LABEL_1"})


def test_a_checkpoint_without_preprocessing_is_refused(tmp_path: Path):
    with pytest.raises(TriptychError, match="does not say how pictures are normalised"):
        published_swin.Preprocessing.read(tmp_path)
