"""Files that belong together, replaced in one stroke."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from pathlib import Path

import pytest

from triptych import generations
from triptych.generations import current, is_whole, publish, whole

ONE = {"a.txt": b"1", "deep/b.txt": b"1"}
TWO = {"a.txt": b"2", "deep/b.txt": b"2", "deep/c.txt": b"2"}


class Pair:
    """What a reader makes of the files."""

    @classmethod
    @whole
    def read(cls, folder: Path) -> tuple[str, str]:
        first = (folder / "a.txt").read_text()
        return first, (folder / "deep" / "b.txt").read_text()


def seen(folder: Path) -> dict[str, bytes]:
    """Return the files by their usual names."""
    files = [path for path in (folder / "a.txt", *(folder / "deep").glob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_files_have_their_usual_names(tmp_path: Path):
    publish(tmp_path / "1", ONE)
    assert seen(tmp_path / "1") == ONE
    publish(tmp_path / "1", TWO)
    assert seen(tmp_path / "1") == TWO
    assert is_whole(tmp_path / "1")


def test_what_the_set_before_had_more_is_gone_and_the_neighbours_stay(tmp_path: Path):
    (tmp_path / "model.py").write_text("ours")
    (tmp_path / "link.py").symlink_to("model.py")
    publish(tmp_path, {**ONE, "odd.txt": b"", "more/d.txt": b""})
    publish(tmp_path, ONE)
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} == {
        "a.txt",
        "deep",
        "link.py",
        "model.py",
    }


def test_the_same_again_writes_nothing(tmp_path: Path):
    publish(tmp_path, ONE)
    before = {path: path.lstat().st_mtime_ns for path in (tmp_path, *tmp_path.rglob("*"))}
    publish(tmp_path, dict(ONE))
    assert {path: path.lstat().st_mtime_ns for path in (tmp_path, *tmp_path.rglob("*"))} == before


def test_the_set_before_stays_and_older_ones_go(tmp_path: Path):
    publish(tmp_path, ONE)
    old = current(tmp_path)
    publish(tmp_path, TWO)
    assert (old / "a.txt").read_bytes() == b"1"
    publish(tmp_path, {"a.txt": b"3"})
    assert not old.exists()


def test_a_set_that_was_damaged_is_noticed_and_written_anew(tmp_path: Path):
    publish(tmp_path, ONE)
    (tmp_path / "a.txt").write_bytes(b"9")
    assert not is_whole(tmp_path)
    publish(tmp_path, ONE)
    assert is_whole(tmp_path)
    (tmp_path / "deep" / "b.txt").unlink()
    assert not is_whole(tmp_path)
    publish(tmp_path, ONE)
    assert seen(tmp_path) == ONE


def test_plain_files_of_an_older_version_give_way(tmp_path: Path):
    for name in TWO:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"old")
    assert Pair.read(tmp_path) == ("old", "old")
    assert not is_whole(tmp_path)
    publish(tmp_path, ONE)
    assert seen(tmp_path) == ONE


def test_a_copy_that_has_files_for_links_is_read_and_replaced(tmp_path: Path):
    publish(tmp_path / "1", ONE)
    shutil.copytree(tmp_path / "1", tmp_path / "2")
    assert Pair.read(tmp_path / "2") == ("1", "1")
    assert is_whole(tmp_path / "2")
    publish(tmp_path / "2", TWO)
    assert seen(tmp_path / "2") == TWO
    assert seen(tmp_path / "1") == ONE


def test_what_a_killed_writer_left_is_swept_away(tmp_path: Path):
    (tmp_path / f"{generations.PARTIAL}gone").mkdir()
    publish(tmp_path, ONE)
    assert not list(tmp_path.glob(f"{generations.PARTIAL}*"))


def test_a_set_that_comes_back_is_not_written_again(tmp_path: Path):
    publish(tmp_path, ONE)
    before = (current(tmp_path) / "a.txt").stat().st_ino
    publish(tmp_path, TWO)
    publish(tmp_path, ONE)
    assert (current(tmp_path) / "a.txt").stat().st_ino == before


def test_a_reader_whose_error_is_not_the_writer_s_gets_it(tmp_path: Path):
    publish(tmp_path, {"a.txt": b"1"})
    with pytest.raises(FileNotFoundError, match=r"b\.txt"):
        Pair.read(tmp_path)


def replace_for_ever(folder: Path) -> None:
    while True:
        for number in range(10):
            publish(folder, dict.fromkeys(ONE, str(number).encode()))


def test_no_reader_ever_sees_a_mixture(tmp_path: Path):
    publish(tmp_path, ONE)
    writer = multiprocessing.get_context("spawn").Process(target=replace_for_ever, args=(tmp_path,), daemon=True)
    writer.start()
    try:
        pairs = {Pair.read(tmp_path) for _ in range(2)}
        while len(pairs) < 10:
            pairs.add(Pair.read(tmp_path))
        for _ in range(3000):
            pairs.add(Pair.read(tmp_path))
    finally:
        writer.kill()
        writer.join()
    assert pairs == {(str(number), str(number)) for number in range(10)}
    assert seen(tmp_path) in [dict.fromkeys(ONE, str(number).encode()) for number in range(10)]


def test_a_reader_starts_again_when_its_files_are_removed_under_its_hands(tmp_path: Path):
    publish(tmp_path, {"a.txt": b"1"})  # has no b.txt, which the next one has
    reads: list[str] = []

    @whole
    def read(cls: type[Pair], folder: Path) -> str:
        reads.append(folder.name)
        if len(reads) == 1:
            publish(tmp_path, ONE)
        return (folder / "deep" / "b.txt").read_text()

    assert read(Pair, tmp_path) == "1"
    assert len(set(reads)) == 2


def test_the_set_may_be_read_by_anyone(tmp_path: Path):
    publish(tmp_path, ONE)
    assert os.stat(current(tmp_path)).st_mode & 0o555 == 0o555
