"""What the gates compare models on: a clip's own tensors, in the shapes that the steps are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tritonclient.utils import triton_to_np_dtype

from export.gates import inputs
from samples import clips
from triptych.errors import TriptychError
from triptych_client.contract import STEPS


def test_a_clip_s_tensors_are_those_of_the_contract(repository: Path, demo_clip: Path):
    feeds = inputs.of_clip(demo_clip.read_bytes(), repository, inputs.STEPS_WITH_INPUTS)
    assert feeds.keys() == inputs.STEPS_WITH_INPUTS
    for step, given in feeds.items():
        assert list(given) == [tensor.name for tensor in STEPS[step].inputs]
        for tensor in STEPS[step].inputs:
            array = given[tensor.name]
            assert array.dtype == triton_to_np_dtype(tensor.dtype)
            assert array.ndim == 1 + len(tensor.dims)
            assert all(want in (-1, have) for want, have in zip(tensor.dims, array.shape[1:]))
            assert 0 < len(array) <= STEPS[step].max_batch_size
    assert feeds["text_emotion"]["ATTENTION_MASK"].sum() > 20


def test_only_what_is_asked_for_is_made(repository: Path, demo_clip: Path):
    assert inputs.of_clip(demo_clip.read_bytes(), repository, ["face_detector"]).keys() == {"face_detector"}


def test_a_clip_without_a_face_is_refused(repository: Path):
    with pytest.raises(TriptychError, match="shows no face"):
        inputs.of_clip(clips.make(clips.greys(2)), repository, ["expression"])


def test_faces_of_fer2013_are_as_the_step_is_given_them(tmp_path: Path):
    images = np.arange(6 * 48 * 48, dtype=np.uint32).astype(np.uint8).reshape(6, 48, 48)
    np.savez(tmp_path / inputs.FER2013, images=images, split=np.array([0, 1, 1, 0, 1, 1]))
    faces = inputs.faces(tmp_path, 3)
    assert faces["FACES"].shape == (3, 112, 112, 3)
    assert faces["FACES"].dtype == np.uint8
    assert len(set(faces["TRACK_POSITIONS"][:, 0])) == 3
