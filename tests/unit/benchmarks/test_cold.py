"""What is read of the disk, and what is held against the goals."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks import cold
from benchmarks.cold import SetUp, Start

BLOCK = 4096


def test_a_file_with_two_names_counts_once_and_a_link_not_at_all(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "model.onnx").write_bytes(bytes(BLOCK))
    os.link(inner / "model.onnx", tmp_path / "again.onnx")
    (tmp_path / "link.onnx").symlink_to(inner / "model.onnx")
    assert cold.bytes_below(tmp_path) == (inner / "model.onnx").stat().st_blocks * 512
    assert len(list(cold.files_below(tmp_path))) == 2


def test_files_that_are_put_out_of_memory_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"weights" * BLOCK)
    cold.put_out(tmp_path)
    assert (tmp_path / "weights").read_bytes() == b"weights" * BLOCK


def test_a_command_that_fails_says_its_last_words() -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        cold.seconds_of((sys.executable, "-c", "raise SystemExit('no such thing')"), {})


def test_the_slowest_start_is_held_against_the_goal() -> None:
    starts = [Start(False, 8.0, 2.0, 1.0), Start(False, 11.0, 2.0, 1.0), Start(True, 5.0, 2.0, 1.0)]
    boot, memory, seconds, size = cold.held(starts, SetUp(90.0, 30.0, 1_300_000_000, 0))
    assert [row[3] for row in (boot, memory, seconds, size)] == [False, True, True, False]
    assert [row[3] for row in cold.held(starts, None)][2:] == [None, None]
