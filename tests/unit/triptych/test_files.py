"""Copies of files that may be second names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from triptych.files import LARGE_BYTES, link_or_copy


def same_file(one: Path, other: Path) -> bool:
    return one.stat().st_ino == other.stat().st_ino


@pytest.mark.parametrize(("size", "linked"), [(LARGE_BYTES, False), (LARGE_BYTES + 1, True)])
def test_only_a_large_file_gets_a_second_name(size: int, linked: bool, tmp_path: Path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(size))
    link_or_copy(source, target)
    assert target.stat().st_size == size
    assert same_file(source, target) is linked


def test_where_files_have_one_name_only_a_large_one_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(LARGE_BYTES + 1))
    link_or_copy(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert not same_file(source, target)
