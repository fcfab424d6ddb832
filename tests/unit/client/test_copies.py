"""Copies of clips that show their answers: where they go, and what keeps one from being written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samples import seen
from triptych_client import extras
from triptych_client.clips import find
from triptych_client.copies import Copies, written
from triptych_client.errors import InvalidClip, TriptychClientError
from triptych_client.results import Analysis


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "clips"
    folder.mkdir()
    return [seen.write(folder / name) for name in ("IMG_1.mov", "IMG_1.mp4")]


def answer(clip: Path) -> Analysis:
    return seen.answer(clip)


def test_one_clip_has_one_copy(clips: list[Path], tmp_path: Path):
    target = tmp_path / "new" / "copy.mp4"
    copies = Copies.of(find(clips[:1]).found, str(target), "en", redact=False)
    assert copies.lack(str(clips[0]))
    assert written(answer(clips[0]), copies) is None
    assert target.stat().st_size > 1000
    assert not copies.lack(str(clips[0]))
    assert [path.name for path in target.parent.iterdir()] == ["copy.mp4"], "nothing half-written is left"


def test_several_have_a_folder_and_names_of_their_own(clips: list[Path], tmp_path: Path):
    copies = Copies.of(find([clips[0].parent]).found, f"{tmp_path}/annotated/", "en", redact=False)
    assert {path.name for path in copies.targets.values()} == {"IMG_1.mov.mp4", "IMG_1.mp4.mp4"}
    with pytest.raises(ValueError, match="need a folder"):
        Copies.of(find([clips[0].parent]).found, str(tmp_path / "a.mp4"), "en", redact=False)


def test_a_copy_never_takes_the_place_of_its_clip(clips: list[Path]):
    with pytest.raises(ValueError, match="the clip itself"):
        Copies.of(find(clips[1:]).found, str(clips[1]), "en", redact=False)
    with pytest.raises(ValueError, match="the clip itself"):
        Copies.of(find(clips[1:]).found, f"{clips[1].parent}/", "en", redact=False)


def test_a_clip_without_a_copy_in_sight_is_left_alone(clips: list[Path]):
    assert written(answer(clips[0]), Copies()) is None
    assert not Copies().lack(str(clips[0]))


def test_a_clip_that_cannot_be_drawn_on_fails_alone(clips: list[Path], tmp_path: Path):
    copies = Copies.of(find(clips[:1]).found, str(tmp_path / "copy.mp4"), "en", redact=False)
    clips[0].write_bytes(b"no clip any more")
    assert isinstance(written(answer(clips[0]), copies), InvalidClip)
    still = answer(clips[0])
    still = replace(still, clip=replace(still.clip, has_video=False))
    assert "no video" in str(written(still, copies))
    assert not (tmp_path / "copy.mp4").exists()


def test_a_folder_that_cannot_be_made_is_one_line(clips: list[Path], tmp_path: Path):
    (tmp_path / "file").touch()
    copies = Copies.of(find(clips[:1]).found, str(tmp_path / "file" / "copy.mp4"), "en", redact=False)
    with pytest.raises(TriptychClientError, match="cannot be written"):
        copies.write(answer(clips[0]))


def test_what_is_not_installed_is_named_with_its_extra():
    def use() -> None:
        with extras.needed_for("--format html", "report"):
            raise ModuleNotFoundError(name="jinja2")

    with pytest.raises(TriptychClientError, match=r"--format html needs the package jinja2: .*client\[report\]"):
        use()
