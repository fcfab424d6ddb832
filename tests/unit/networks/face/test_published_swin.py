"""The export of Swin-V2. A wiring test: the checkpoints are tiny and their weights random."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate
from transformers import Swinv2Config, Swinv2ForImageClassification

from networks.face import published_swin
from samples.expression_inputs import inputs_of
from samples.graphs import session_of
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS, FACE_PX

LABELS = ["Happy", "Sad", "Angry", "Neutral", "Surprise", "Disgust", "Fear"]
ORDER = [2, 5, 6, 0, 1, 4, 3]
MEAN = {1: [0.5], 3: [0.485, 0.456, 0.406]}
STD = {1: [0.25], 3: [0.229, 0.224, 0.225]}


TINY = {"image_size": 64, "embed_dim": 24, "depths": [2, 1], "num_heads": [2, 4], "window_size": 4}


def save_checkpoint(
    folder: Path, channels: int, labels: list[str] = LABELS, **sizes: object
) -> Swinv2ForImageClassification:
    torch.manual_seed(0)
    config = Swinv2Config(
        patch_size=4,
        num_channels=channels,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        initializer_range=0.5,  # so that random logits differ
        **TINY | sizes,
    )
    model = Swinv2ForImageClassification(config).eval()
    model.save_pretrained(folder)
    side = config.image_size
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
    channels, side = request.param
    model = save_checkpoint(source, channels, image_size=side)
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


PUBLISHED = {"image_size": 256, "window_size": 16, "pretrained_window_sizes": [12, 12, 12, 6]}
"""Those of the base, whose windows grew from the 12 of its training; the tiny one's, 8 as trained, ask less."""


def test_parity_at_published_patches_and_windows(tmp_path: Path):
    """Four stages on patches of 4 px, as published, the first with a shifted window; few layers and channels."""
    model = save_checkpoint(tmp_path, 3, embed_dim=6, depths=[2, 1, 1, 1], num_heads=[1, 2, 2, 2], **PUBLISHED)
    graph = session_of(published_swin.SwinExpression.load(tmp_path), "expression")
    faces = np.random.default_rng(0).integers(0, 256, (2, FACE_PX, FACE_PX, 3), dtype=np.uint8)
    logits, embedding = graph.run(["LOGITS", "EMBEDDING"], inputs_of(faces))
    want_logits, want_embedding = reference(model, faces)
    assert np.abs(logits - want_logits).max() < 1e-4
    assert np.abs(embedding - want_embedding).max() < 1e-4


def test_a_checkpoint_without_emotions_is_refused(tmp_path: Path):
    save_checkpoint(tmp_path, 1, labels=["cat", "dog"])
    with pytest.raises(TriptychError, match="class cat, dog is none that is known"):
        published_swin.SwinExpression.load(tmp_path)


def test_a_checkpoint_without_preprocessing_is_refused(tmp_path: Path):
    with pytest.raises(TriptychError, match="does not say how pictures are normalised"):
        published_swin.Preprocessing.read(tmp_path)
