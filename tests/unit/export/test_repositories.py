"""The tests' own repository: a developer's choices in the live one are read, and never changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from export.stamp import STAMP
from samples.repositories import take_exports
from triptych import files


def exported(repository: Path, step: str, entry: str, content: str, stamped_at: int) -> Path:
    folder = repository / step / "1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").unlink(missing_ok=True)
    (folder / "model.onnx").write_text(content)
    (folder / "model.py").write_text("ours")
    (folder / STAMP).write_text(json.dumps({"entry": entry, "fingerprint": "f"}))
    os.utime(folder / STAMP, (stamped_at, stamped_at))
    return folder


def test_defaults_are_taken_and_what_a_developer_set_is_left(tmp_path: Path):
    live, tests = tmp_path / "live", tmp_path / "tests"
    exported(live, "expression", "swinv2", "x" * (files.LARGE_BYTES + 1), 2)
    exported(live, "text_emotion", "bert", "a choice", 2)
    take_exports(live, tests, {"expression": "swinv2", "text_emotion": "xlm-roberta"})
    taken = tests / "expression" / "1"
    assert {path.name for path in taken.iterdir()} == {"model.onnx", STAMP}
    assert (taken / "model.onnx").samefile(live / "expression" / "1" / "model.onnx")
    assert not (tests / "text_emotion").exists()


def test_what_the_tests_exported_later_stays(tmp_path: Path):
    exported(tmp_path / "live", "expression", "swinv2", "older", 2)
    folder = exported(tmp_path / "tests", "expression", "swinv2", "newer", 3)
    take_exports(tmp_path / "live", tmp_path / "tests", {"expression": "swinv2"})
    assert (folder / "model.onnx").read_text() == "newer"
    exported(tmp_path / "live", "expression", "swinv2", "newest", 4)
    take_exports(tmp_path / "live", tmp_path / "tests", {"expression": "swinv2"})
    assert (folder / "model.onnx").read_text() == "newest"
    assert (folder / "model.py").read_text() == "ours"
