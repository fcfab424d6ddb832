"""What the gates compare models on: a clip's own tensors, in the shapes that the steps are given, and corpora."""

from __future__ import annotations

import gzip
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tritonclient.utils import triton_to_np_dtype

from export.gates import corpora, inputs
from samples import clips
from triptych.commands.demo_speech import synthesise
from triptych.errors import TriptychError
from triptych_client.contract import STEPS

INSIDE = {"whisper", "speech_detector"}
"""Steps whose graphs are fed by their `model.py`."""


def test_every_step_with_a_graph_is_measured(repository: Path):
    assert {path.parts[-3] for path in repository.glob("*/1/*.onnx")} == inputs.STEPS_WITH_INPUTS


def test_a_clip_s_tensors_are_those_of_the_contract(repository: Path, demo_clip: Path):
    feeds = inputs.of_clip(demo_clip.read_bytes(), repository, inputs.STEPS_WITH_INPUTS)
    assert feeds.keys() == inputs.STEPS_WITH_INPUTS
    assert feeds["whisper"]["log_mel"].shape[1:] == (80, 3000)
    assert len(feeds["speech_detector"]["PCM"]) % 512 == 0
    for step, given in ((step, given) for step, given in feeds.items() if step not in INSIDE):
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
    np.savez(tmp_path / corpora.FER2013, images=images, split=np.array([0, 1, 1, 0, 1, 1]))
    faces = corpora.faces(tmp_path / corpora.FER2013, 3)
    assert faces["FACES"].shape == (3, 112, 112, 3)
    assert faces["FACES"].dtype == np.uint8
    assert len(set(faces["TRACK_POSITIONS"][:, 0])) == 3


def test_a_folder_of_corpora_is_read_as_far_as_it_goes(repository: Path, tmp_path: Path):
    photograph = np.zeros((400, 800, 3), np.uint8)
    photograph[..., 2] = 200
    (tmp_path / corpora.PHOTOGRAPHS).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / corpora.PHOTOGRAPHS / "red.jpg"), photograph)
    (tmp_path / "text").mkdir()
    with gzip.open(tmp_path / "text" / "goemotions_en.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("split\ttext\ndev\tI am glad.\ndev\tWhat was that?\n")
    save_wav(tmp_path / corpora.RECORDINGS / "said.wav", synthesise("Good morning. How are you today?", "en", 150))
    save_wav(tmp_path / corpora.SOUNDS / "hiss.wav", np.random.default_rng(0).normal(0, 0.01, 32_000))
    found = corpora.of_folder(tmp_path, repository, inputs.STEPS_WITH_INPUTS)
    assert {step: set(named) for step, named in found.items()} == {
        "expression": set(),
        "face_detector": {corpora.PHOTOGRAPHS},
        "text_emotion": {"text/goemotions_en.tsv.gz"},
        **{step: {corpora.RECORDINGS} for step in inputs.SPEECH},
        **{step: {corpora.RECORDINGS, corpora.SOUNDS} for step in inputs.SOUNDS},
    }
    (frames,) = found["face_detector"][corpora.PHOTOGRAPHS].values()
    assert frames.shape == (1, 640, 640, 3)
    assert frames[0, 100, 100].tolist() == pytest.approx([200, 0, 0], abs=5), "RGB"
    assert not frames[0, 400].any(), "the picture is 640 x 320"
    assert len(found["text_emotion"]["text/goemotions_en.tsv.gz"]["INPUT_IDS"]) == 2


def save_wav(path: Path, pcm: np.ndarray) -> None:
    path.parent.mkdir(parents=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        samples = (np.clip(pcm, -1, 1) * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.rate = 16_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
