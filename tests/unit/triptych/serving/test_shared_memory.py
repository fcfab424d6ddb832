"""What clips need of /dev/shm, and what is said when it is not there."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from triptych.errors import TriptychError
from triptych.media.limits import Limits
from triptych.media.pictures import MAX_SIDE_PX
from triptych.serving import shared_memory

Usage = namedtuple("Usage", ("total", "used", "free"))


def only(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(free, 0, free))


def test_the_side_of_a_frame_is_that_of_the_decoder():
    assert shared_memory.FRAME_SIDE_PX == MAX_SIDE_PX


def test_every_limit_that_makes_tensors_larger_counts():
    frames = 128 * 640 * 640 * 3
    needed = shared_memory.needed_bytes(Limits())
    assert needed > shared_memory.WITH_FRAMES * frames + shared_memory.WITH_FILE * (64 << 20)
    assert shared_memory.needed_bytes(Limits(frames=256)) - needed > shared_memory.WITH_FRAMES * frames
    assert shared_memory.needed_bytes(Limits(mebibytes=128)) - needed > shared_memory.WITH_FILE * (64 << 20)
    assert shared_memory.needed_bytes(Limits(seconds=120)) > needed


def test_too_little_is_refused_with_the_remedies(monkeypatch: pytest.MonkeyPatch):
    only(64_000_000, monkeypatch)
    with pytest.raises(TriptychError, match=r"64 MB free.*needs \d+ MB.*--shm-size=2g.*TRIPTYCH_MAX_FRAMES=32"):
        shared_memory.check()


def test_smaller_limits_need_less(monkeypatch: pytest.MonkeyPatch):
    only(310_000_000, monkeypatch)
    monkeypatch.setenv("TRIPTYCH_MAX_FRAMES", "32")
    monkeypatch.setenv("TRIPTYCH_MAX_MEBIBYTES", "16")
    shared_memory.check()


def test_none_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shared_memory, "SHARED_MEMORY", tmp_path / "none")
    assert shared_memory.free_bytes() == 0
    assert "0 MB free" in shared_memory.shortage(Limits())
