"""The CNN with time: what its answers may depend on, its synthetic sequences and its training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from networks import weights
from networks.face.cnn_time import REACH_S, CnnTime, ServedCnnTime
from samples.fer import ONE_EPOCH, write
from training.data import fer
from training.face import cnn_time, motion
from training.face import tracks as face_tracks
from training.face.cnn_time import Schedule
from training.face.motion import FRAMES, NEUTRAL, compose
from triptych.errors import TriptychError

SMALL = Schedule(ONE_EPOCH, ONE_EPOCH, ONE_EPOCH, sequences=42)


def untrained() -> CnnTime:
    """Random weights everywhere, also where training starts from 0."""
    torch.manual_seed(0)
    model = CnnTime().eval()
    for parameter in model.layers.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


MODEL = untrained()


def track(count: int, key: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features [count, 192] of a person's faces, and their positions a third of a second apart."""
    features = torch.randn(count, 192, generator=torch.Generator().manual_seed(1000 * seed + key))
    return features, torch.stack([torch.full((count,), key), torch.arange(count) * 333], dim=1)


def answer(features: Tensor, positions: Tensor) -> Tensor:
    with torch.inference_mode():
        return MODEL.cnn.head(MODEL.relate(features, positions))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(0, 2**31),
    st.integers(-(2**62), 2**62 - 10),
)
def test_neither_order_nor_other_clips_matter(lengths: list[int], seed: int, first_key: int):
    parts = [track(length, key, seed) for key, length in enumerate(lengths)]
    features = torch.cat([part[0] for part in parts])
    positions = torch.cat([part[1] for part in parts]) + torch.tensor([first_key, 0])
    alone = torch.cat([answer(*part) for part in parts])
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(answer(features[order], positions[order]), alone[order], atol=1e-4, rtol=1e-4)


def test_a_face_alone_is_answered_as_the_cnn_answers():
    faces = torch.randn(3, 1, 48, 48)
    positions = torch.tensor([[1, 0], [2, 0], [2, 2 * int(1000 * REACH_S)]])
    with torch.inference_mode():
        torch.testing.assert_close(MODEL(faces, positions), MODEL.cnn(faces), atol=1e-5, rtol=1e-5)


def test_the_track_within_reach_matters():
    features, positions = track(3, key=7)
    assert (answer(features, positions) - MODEL.cnn.head(features)).abs().min() > 1e-4


def test_before_and_after_differ():
    features, positions = track(2, key=7)
    assert (answer(features, positions)[0] - answer(features, positions.flip(0))[0]).abs().max() > 1e-4


def test_starts_from_the_cnn_s_answers():
    features, positions = track(5, key=1)
    model = CnnTime().eval()
    torch.testing.assert_close(model.relate(features, positions), features)


def faces_of(folder: Path) -> fer.LabelledFaces:
    return fer.load(write(folder), 0.1)[0]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), disturbed=st.booleans())
def test_sequences_are_pictures_with_times_and_targets(
    tmp_path_factory: pytest.TempPathFactory, seed: int, disturbed: bool
):
    faces = faces_of(tmp_path_factory.mktemp("fer"))
    chosen = torch.arange(20)
    made, again = (compose(faces, chosen, disturbed, torch.Generator().manual_seed(seed)) for _ in range(2))
    assert torch.equal(made.frames, again.frames)
    assert made.frames.shape == (20, FRAMES, 48, 48)
    assert 0 <= made.frames.min() <= made.frames.max() <= 255
    assert (made.times_ms.diff(dim=1) > 0).all()
    torch.testing.assert_close(made.targets.sum(2), torch.ones(20, FRAMES))
    frames, positions, targets = made.rows()
    assert (frames.dtype, len(frames), len(targets)) == (torch.uint8, 20 * FRAMES, 20 * FRAMES)
    assert positions[:, 0].tolist() == [row for row in range(20) for _ in range(FRAMES)]


def test_a_sequence_is_of_the_chosen_picture_s_class_or_comes_from_neutral_or_goes_there(tmp_path: Path):
    faces = faces_of(tmp_path)
    chosen = torch.arange(len(faces))
    first, last = motion._partners(faces, chosen, torch.Generator().manual_seed(0))
    assert ((first == chosen) | (last == chosen)).all()
    ends = torch.stack([faces.labels[first], faces.labels[last]], dim=1)
    same = ends[:, 0] == ends[:, 1]
    assert (ends[~same] == NEUTRAL).any(dim=1).all()
    assert 0 < same.float().mean() < 1


def test_disturbing_changes_some_frames_and_no_target(tmp_path: Path):
    faces, chosen = faces_of(tmp_path), torch.arange(30)
    clean, spoilt = (compose(faces, chosen, flag, torch.Generator().manual_seed(3)) for flag in (False, True))
    torch.testing.assert_close(clean.targets, spoilt.targets)
    assert ((clean.frames - spoilt.frames).abs().mean((2, 3)) > 10).float().mean() > 0.2


def test_a_batch_drops_frames_and_mixes_no_tracks(tmp_path: Path):
    tracks = face_tracks.extract_features(MODEL.cnn, faces_of(tmp_path), 40, 0.5, seed=0)
    (features, positions, targets), *_ = face_tracks.batches(tracks, torch.Generator().manual_seed(0))
    assert face_tracks.BATCH_SIZE * FRAMES * 0.6 < len(features) < face_tracks.BATCH_SIZE * FRAMES
    assert len(features) == len(positions) == len(targets)
    assert positions[:, 0].unique().tolist() == list(range(face_tracks.BATCH_SIZE))


def test_trains_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = write(tmp_path)
    monkeypatch.setattr("training.face.teacher.BATCH_SIZE", 28)
    monkeypatch.setattr("training.metrics.RESAMPLES", 10)
    cnn_time.train_cnn_time(data, tmp_path / "out", SMALL)
    made = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert {"README.md", "losses.png", "confusion.png", weights.FILE} <= set(made)
    assert "| disturbed | " in made["README.md"].decode()
    ServedCnnTime.load(tmp_path / "out")


def test_an_interrupted_run_looks_at_its_sequences_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    faces, path = faces_of(tmp_path), tmp_path / "train.safetensors"
    made = face_tracks.cached_features(path, MODEL.cnn, faces, 10, 0.5, 0)
    monkeypatch.delattr("training.face.tracks.extract_features")
    assert torch.equal(face_tracks.cached_features(path, MODEL.cnn, faces, 10, 0.5, 0).features, made.features)
    path.write_bytes(b"cut off")
    with pytest.raises(TriptychError, match=r"train\.safetensors cannot be read"):
        face_tracks.cached_features(path, MODEL.cnn, faces, 10, 0.5, 0)


def test_weights_of_another_model_are_refused(tmp_path: Path):
    weights.save(nn.Linear(2, 2), 1.0, tmp_path / weights.FILE)
    with pytest.raises(TriptychError, match="not weights of CnnTime"):
        ServedCnnTime.load(tmp_path)
