"""What was built takes the place of what was exported: whole, or not at all when the disk is full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from export import placing
from export.stamp import STAMP
from samples.disk import full_disk
from triptych.errors import TriptychError

OTHER_DISK = Path("/dev/shm")


def fill(folder: Path, content: bytes, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(content)
    return folder


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_new_files_take_the_place_of_the_old_and_ours_stay(tmp_path: Path):
    target = fill(tmp_path / "step" / "1", b"old", "model.onnx", "labels.txt", STAMP)
    fill(target, b"ours", "model.py", ".gitkeep")
    fill(target / "left over", b"old", "file")
    built = fill(tmp_path / "built", b"new", "model.onnx", STAMP)
    placing.place({built: target})
    assert held(target) == {"model.py": b"ours", ".gitkeep": b"ours", "model.onnx": b"new", STAMP: b"new"}


def test_what_an_export_that_was_killed_has_left_goes(tmp_path: Path):
    target = fill(tmp_path / "step" / "1", b"half", f"{placing.NEW}encoder.onnx")
    placing.place({fill(tmp_path / "built", b"new", "model.onnx"): target})
    assert held(target) == {"model.onnx": b"new"}


@pytest.mark.skipif(
    not OTHER_DISK.is_dir() or os.stat(OTHER_DISK).st_dev == os.stat("/tmp").st_dev, reason="there is one disk only"
)
def test_a_full_disk_leaves_all_that_was_exported(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory):
    """Two steps: the second does not fit, and the first, which would, does not change either."""
    targets = [fill(tmp_path / name / "1", b"old", "model.onnx", STAMP) for name in ("first", "second")]
    before = [held(target) for target in targets]
    other = OTHER_DISK / tmp_path_factory.mktemp("built").name
    try:
        built = [fill(other / name, b"new" * size, "model.onnx", STAMP) for name, size in (("a", 1), ("b", 9999))]
        message = rf"no space for what is exported: .*{tmp_path} is as it was\. Free some space"
        with full_disk(5000), pytest.raises(TriptychError, match=message), placing.saying_when_full(tmp_path):
            placing.place(dict(zip(built, targets)))
    finally:
        for path in sorted(other.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        other.rmdir()
    assert [held(target) for target in targets] == before


def test_another_error_stays_what_it_is(tmp_path: Path):
    with pytest.raises(PermissionError), placing.saying_when_full(tmp_path):
        raise PermissionError(13, "Permission denied")
