"""The face channel's training: data, augmentation, the warm start, and both ways of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import interpolate
from transformers import Swinv2Config, Swinv2ForImageClassification, Swinv2Model

from networks import weights
from networks.face.cnn_time import CnnTime
from networks.face.swin import FaceSwin, ServedFace
from networks.face.teacher import STEM_STRIDE, FaceCnn
from samples.fer import COLUMNS, ONE_EPOCH, fer_arrays, write
from training.data import fer
from training.data.fer import View
from training.face import swin
from training.face.published import fine_tune
from training.face.swin import Pretrained, Schedule
from training.face.teacher import predict, side_px
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

BRIEF = Schedule(ONE_EPOCH, ONE_EPOCH, ONE_EPOCH, ONE_EPOCH)


def test_drops_training_pictures_of_the_validation_split(tmp_path: Path) -> None:
    images = fer_arrays()["images"]
    images[3] = images[60]
    train, validation = fer.load(write(tmp_path, images=images), 0.4)
    assert (len(train), len(validation)) == (55, 28)


def test_targets_mix_label_and_votes(tmp_path: Path) -> None:
    votes = fer_arrays()["ferplus_votes"]
    votes[0] = 0  # label anger; six votes for sadness, three for fear, one slip for disgust, four for contempt
    votes[0, [COLUMNS.index(name) for name in ("sadness", "fear", "disgust", "contempt")]] = 6, 3, 1, 4
    votes[1] = 0  # nobody saw one of ours: the label alone
    train, _ = fer.load(write(tmp_path, ferplus_votes=votes), 0.3)
    expected = {"anger": 0.7, "sadness": 0.2, "fear": 0.1}
    assert train.targets[0].tolist() == pytest.approx([expected.get(emotion, 0) for emotion in EMOTIONS])
    assert train.targets[1].tolist() == pytest.approx([float(emotion == "disgust") for emotion in EMOTIONS])


def test_labels_follow_the_contract_whatever_their_order(tmp_path: Path) -> None:
    names = fer_arrays()["class_names"]
    train, _ = fer.load(write(tmp_path, class_names=names[::-1]), 0.0)
    assert EMOTIONS[train.labels[0]] == "neutral"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.zeros(84, np.uint8)}, "classes without images"),
        ({"class_names": np.array(list("abcdefg"))}, "unknown classes"),
        ({"ferplus_columns": np.array(list("abcdefghij"))}, "cannot be read"),
    ],
)
def test_refuses_other_data(tmp_path: Path, changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(TriptychError, match=message):
        fer.load(write(tmp_path, **changes), 0.4)


def test_refuses_a_wrong_folder_and_a_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(TriptychError, match="--data is the folder that holds it"):
        fer.load(tmp_path, 0.4)
    (tmp_path / fer.FILE).write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(TriptychError, match="cannot be read"):
        fer.load(tmp_path, 0.4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([32, 40, 48]), st.sampled_from([0, 128, 255]))
def test_augmented_faces_are_finite(seed: int, side: int, level: int) -> None:
    images = torch.full((3, 48, 48), level, dtype=torch.uint8)
    images[1:] = torch.randint(0, 256, (2, 48, 48), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    faces = fer.augment(images, View(side), torch.Generator().manual_seed(seed))
    assert faces.shape == (3, 1, side, side)
    assert torch.isfinite(faces).all()
    assert faces[0].abs().max() < 1e-3  # a blank picture stays blank


def test_pictures_grow_to_full_size() -> None:
    sides = [side_px(epoch / 24) for epoch in range(24)]
    assert sides == sorted(sides)
    assert len(set(sides)) == 3
    assert sides[-1] == fer.FACE_PX
    assert all(side % (2 * STEM_STRIDE) == 0 for side in sides)


def test_mirrored_prediction_is_that_of_the_mirror_image() -> None:
    torch.manual_seed(0)
    model, images = FaceCnn().eval(), torch.randint(0, 256, (4, 48, 48), dtype=torch.uint8)
    torch.testing.assert_close(predict(model, images, mirror=True), predict(model, images.flip(2)))


def test_warm_start_hands_the_convolutions_through() -> None:
    torch.manual_seed(0)
    teacher, student = FaceCnn().eval(), FaceSwin().eval()
    student.warm_start(teacher)
    faces = torch.randn(2, 1, 48, 48)
    features = teacher.body[0](teacher.stem(faces))
    torch.testing.assert_close(student.stem(faces), features)
    tokens, _ = student.swin.swinv2.embeddings.patch_embeddings(features)
    torch.testing.assert_close(tokens, features.flatten(2).transpose(1, 2))


def test_student_is_of_the_promised_size() -> None:
    assert 3e6 < sum(p.numel() for p in FaceSwin().parameters()) < 7e6


def test_trains_teacher_and_student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path)
    monkeypatch.setattr("training.face.swin.BATCH_SIZE", 28)
    monkeypatch.setattr("training.face.teacher.BATCH_SIZE", 28)
    monkeypatch.setattr("training.metrics.RESAMPLES", 10)
    swin.train_face(data, tmp_path / "out", schedule=BRIEF)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "| accuracy |" in card
    assert {"losses.png", "confusion.png", weights.FILE} < {path.name for path in (tmp_path / "out").iterdir()}
    ServedFace.load(tmp_path / "out")


def test_goes_on_from_known_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.face.swin.BATCH_SIZE", 28)
    monkeypatch.setattr("training.metrics.RESAMPLES", 10)
    teacher, student = tmp_path / "teacher.safetensors", tmp_path / "student.safetensors"
    weights.save(CnnTime(), 1.0, teacher)
    weights.save(FaceSwin(), 1.0, student)
    student.with_name("losses.png").write_bytes(b"picture")
    swin.train_face(write(tmp_path), tmp_path / "out", Pretrained(teacher, student), schedule=BRIEF)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "Swin-V2, second phase: 1 epochs" in card
    assert "CNN teacher, votes:" not in card
    assert "`triptych train face --teacher FILE --student FILE --data DIR --out DIR`" in card
    assert "This run went on from a Swin-V2 of sha256" in card
    assert (tmp_path / "out" / "losses-before.png").read_bytes() == b"picture"
    assert {"finish", "README.md", "losses-before.png", "losses.png", "confusion.png", weights.FILE} == {
        path.name for path in (tmp_path / "out").iterdir()
    }


def tiny_checkpoint(folder: Path) -> Path:
    """A published backbone in miniature: random weights, another head."""
    config = Swinv2Config(image_size=32, patch_size=4, embed_dim=8, depths=(1, 1), num_heads=(1, 2), window_size=4)
    Swinv2Model(config).save_pretrained(folder)
    return folder


def test_fine_tunes_a_published_backbone(tmp_path: Path) -> None:
    init = f"dir:{tiny_checkpoint(tmp_path / 'tiny')}"
    folder = fine_tune(write(tmp_path), tmp_path / "out", init, ONE_EPOCH, batch_size=14)
    model = Swinv2ForImageClassification.from_pretrained(folder)
    assert tuple(model.config.id2label.values()) == EMOTIONS
    assert (folder / "preprocessor_config.json").is_file()


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("microsoft/swinv2", "by hub:NAME, dir:PATH"),
        ("dir:/nowhere", "no config.json"),
        ("dir:", "by hub:NAME"),
    ],
)
def test_refuses_an_unclear_init(tmp_path: Path, init: str, message: str) -> None:
    with pytest.raises(TriptychError, match=message):
        fine_tune(write(tmp_path), tmp_path / "out", init, ONE_EPOCH)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    weights.save(nn.Linear(2, 2), 1.0, tmp_path / weights.FILE)
    with pytest.raises(TriptychError, match="not weights of FaceSwin"):
        ServedFace.load(tmp_path)
    with pytest.raises(TriptychError, match="no trained weights"):
        ServedFace.load(tmp_path / "nothing")


PREPARE = ServedFace(FaceSwin()).prepare


def test_prepares_faces_as_fer2013_has_them() -> None:
    small = torch.randint(0, 256, (1, 1, 48, 48), dtype=torch.uint8)
    smooth = interpolate(small.float(), (112, 112), mode="bicubic").clamp(0, 255)
    faces = smooth.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).byte()
    seen = fer.preprocess(small[:, 0], View())
    assert torch.cosine_similarity(PREPARE(faces).flatten(), seen.flatten(), dim=0) > 0.9


def test_the_light_does_not_matter() -> None:
    faces = torch.randint(0, 256, (2, 112, 112, 3), dtype=torch.uint8)
    brighter = PREPARE((faces / 2 + 60).byte())
    assert torch.cosine_similarity(PREPARE(faces).flatten(), brighter.flatten(), dim=0) > 0.99
    assert PREPARE(torch.full((1, 112, 112, 3), 90, dtype=torch.uint8)).abs().max() < 1e-3
