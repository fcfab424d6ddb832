from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from triptych.serving import checksums


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "whisper" / "1").mkdir(parents=True)
    (folder / "whisper" / "1" / "model.py").write_text("pass\n")
    (folder / "whisper" / "1" / "a name.onnx").write_bytes(bytes(3 << 20))
    (folder / "whisper" / ".set").mkdir()
    (folder / "whisper" / ".current").symlink_to(".set")
    return folder


def change(path: Path) -> None:
    path.write_text("import os\n")


def add(path: Path) -> None:
    (path.parent.parent / "2").mkdir()
    (path.parent.parent / "2" / "model.py").write_text("import os\n")


def point_elsewhere(path: Path) -> None:
    link = path.parent.parent / ".current"
    link.unlink()
    link.symlink_to("/etc")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (change, "whisper/1/model.py differs"),
        (Path.unlink, "whisper/1/model.py is missing"),
        (add, "whisper/2/model.py is not listed"),
        (point_elsewhere, "whisper/.current differs"),
    ],
)
def test_what_was_changed_is_named(harm, said: str, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    kept = tmp_path / "models.sha256"
    kept.write_text("# of a release\n" + checksums.lines(checksums.listed(repository)))
    assert checksums.main(["check", str(repository), str(kept)]) == 0
    harm(repository / "whisper" / "1" / "model.py")
    assert checksums.main(["check", str(repository), str(kept)]) == 1
    assert capsys.readouterr().err.splitlines()[0] == said


def test_the_list_is_that_of_sha256sum(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (repository / "whisper" / ".current").unlink()  # sha256sum follows links
    assert checksums.main(["write", str(repository)]) == 0
    (tmp_path / "list").write_text(capsys.readouterr().out)
    subprocess.run(["sha256sum", "--check", "--strict", tmp_path / "list"], cwd=repository, check=True)


@pytest.mark.parametrize("text", ["whisper/1/model.py\n", "abc  whisper/1/model.py\n"])
def test_a_list_of_another_form_is_an_error(text: str, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "list").write_text(text)
    assert checksums.main(["check", str(repository), str(tmp_path / "list")]) == 1
    assert "as sha256sum(1) writes it" in capsys.readouterr().err


def test_a_list_that_is_not_there_and_a_wrong_call(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert checksums.main(["check", str(repository), str(tmp_path / "none")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert checksums.main(["check", str(repository)]) == 2
