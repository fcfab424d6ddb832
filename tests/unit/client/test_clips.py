"""Which files of a folder are analysed, and what is said of the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from triptych_client import clips

PACKET = b"\x47" + bytes(187)
"""Of an MPEG transport stream."""


def touch(folder: Path, *names: str, content: bytes = b"") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def names_in(folder: Path) -> list[str]:
    return [str(item.relative) for item in clips.find([folder]).found]


def test_media_are_found_in_folders(tmp_path: Path):
    touch(tmp_path, "b.mp4", "a.MOV", "deep/er/c.wav", "notes.txt")
    found = clips.find([tmp_path, tmp_path / "b.mp4", tmp_path / "notes.txt", Path("gone.mp4")]).found
    names = [str(item.relative) for item in found]
    assert names == ["a.MOV", "b.mp4", "deep/er/c.wav", "notes.txt", "gone.mp4"]
    assert clips.targets(found, Path("out"), ".vtt")[2] == Path("out/deep/er/c.vtt")


@pytest.mark.parametrize("suffix", ["MPG", "M2TS", "mts", "3GP", "ogv", "mxf", "gif", "QT", "caf", "3gpp"])
def test_rarer_suffixes_in_any_case_are_media(tmp_path: Path, suffix: str):
    touch(tmp_path, f"clip.{suffix}")
    assert names_in(tmp_path) == [f"clip.{suffix}"]


def test_hidden_files_and_what_systems_leave_behind_are_skipped_and_counted(tmp_path: Path):
    touch(tmp_path, "._IMG_1.MPG", ".trash/a.mp4", "__MACOSX/b.mp4", "$RECYCLE.BIN/c.mp4", "IMG_1.MPG", "notes.txt")
    search = clips.find([tmp_path])
    assert [item.relative for item in search.found] == [Path("IMG_1.MPG")]
    assert search.summary() == "skipped: 4 hidden, 1 not media"


def test_a_hidden_folder_that_is_named_is_searched(tmp_path: Path):
    touch(tmp_path, ".clips/a.mp4")
    assert names_in(tmp_path / ".clips") == ["a.mp4"]


def test_links_are_followed_once_and_circles_end(tmp_path: Path):
    touch(tmp_path, "in/z/a.mp4", "elsewhere/b.mp4")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in" / "z")
    (tmp_path / "in" / "z" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "self.mp4").symlink_to("self.mp4")
    (tmp_path / "in" / "lost.mp4").symlink_to("gone.mp4")
    search = clips.find([tmp_path / "in"])
    assert [str(item.relative) for item in search.found] == ["other/b.mp4", "z/a.mp4"]
    assert search.summary() == "skipped: 2 no regular file, 2 linked folder seen before"


def test_pipes_in_a_folder_are_not_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.mp4")
    os.mkfifo(tmp_path / "pipe.ts")
    assert clips.find([tmp_path]).summary() == "skipped: 2 no regular file"
    assert [item.path for item in clips.find([tmp_path / "pipe.mp4"]).found] == [tmp_path / "pipe.mp4"]


def test_a_folder_that_cannot_be_opened_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    touch(tmp_path, "closed/a.mp4", "b.mp4")
    opened = os.listdir

    def listdir(path: Path) -> list[str]:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return opened(path)

    monkeypatch.setattr(os, "listdir", listdir)  # root, whom tests may run as, opens any
    search = clips.find([tmp_path])
    assert [item.relative for item in search.found] == [Path("b.mp4")]
    assert search.summary() == "skipped: 1 folder that cannot be opened"


def test_sources_of_typescript_are_no_clips(tmp_path: Path):
    touch(tmp_path, "app.ts", content=b"export const GO = 1;\n")
    touch(tmp_path, "cut.TS", content=2 * PACKET)
    touch(tmp_path, "camera.ts", content=b"\0\0\0\1" + PACKET)
    touch(tmp_path, "empty.ts")
    assert names_in(tmp_path) == ["camera.ts", "cut.TS", "empty.ts"]


def test_names_of_any_encoding_are_found(tmp_path: Path):
    name = b"na\xefve \xff.mp4"
    Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).touch()
    (item,) = clips.find([tmp_path]).found
    assert os.fsencode(item.path.name) == name


def test_clips_that_differ_in_their_suffix_alone_get_a_file_each(tmp_path: Path):
    touch(tmp_path, "IMG_1.MOV", "IMG_1.mp4", "other.mp4")
    targets = clips.targets(clips.find([tmp_path]).found, Path("out"), ".json")
    assert targets == [Path("out/IMG_1.MOV.json"), Path("out/IMG_1.mp4.json"), Path("out/other.json")]
