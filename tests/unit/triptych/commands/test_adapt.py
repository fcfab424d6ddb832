"""What `triptych adapt` refuses before it asks a server, and when too few clips were answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from triptych.commands import adapt as command
from triptych.errors import TriptychError


def test_too_few_clips_are_refused(tmp_path: Path):
    logits = {"face": np.zeros((0, 7)), "voice": np.zeros((2, 7))}
    with pytest.raises(TriptychError, match="too few clips to adapt to: face, voice answered for 2 at most, of the 10"):
        command.offsets(tmp_path, logits, {"face": "swinv2", "voice": "cnn"}, 1 / 7)


def test_a_channel_that_answered_for_enough_is_fitted_by_itself(tmp_path: Path):
    logits = {"face": np.zeros((9, 7)), "voice": np.random.default_rng(0).normal(size=(10, 7))}
    found = command.offsets(tmp_path, logits, {"face": "swinv2", "voice": "cnn"}, 1 / 7)
    assert {name: (offset.entry, offset.clips) for name, offset in found.items()} == {"voice": ("cnn", 10)}


def test_a_folder_without_a_clip_is_named(tmp_path: Path):
    with pytest.raises(TriptychError, match="there is no clip in"):
        command.adapt(tmp_path, repository=tmp_path)


def test_options_that_make_no_sense_are_refused(tmp_path: Path):
    with pytest.raises(TriptychError, match="there is no channel smell: --channel takes face, sound, voice, words"):
        command.adapt(tmp_path, channels=["smell"], repository=tmp_path)
    with pytest.raises(TriptychError, match="give one of FOLDER, --use FILE and --undo"):
        command.adapt(tmp_path, undo=True, repository=tmp_path)
