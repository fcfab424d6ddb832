"""`triptych configs`, and its --check, over a model repository of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from triptych.commands.configs import configs
from triptych.errors import TriptychError
from triptych.serving.configs import generate


def run(*arguments: str | Path) -> str:
    """Run the command and return what it prints; raise what it raises."""
    app = typer.Typer()
    app.command()(configs)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A model repository with every config as generated, written by the command itself."""
    run("--repository", tmp_path)
    return tmp_path


def test_it_writes_every_config_of_an_empty_repository(repository: Path):
    written = {file.relative_to(repository): file for file in repository.rglob("*.pbtxt")}
    assert {path: file.read_text(encoding="utf-8") for path, file in written.items()} == generate()


def test_a_repository_as_generated_passes_and_is_not_written_again(repository: Path):
    before = {file: file.stat().st_mtime_ns for file in repository.rglob("*.pbtxt")}
    assert run("--check", "--repository", repository) == ""
    assert run("--repository", repository) == ""
    assert {file: file.stat().st_mtime_ns for file in repository.rglob("*.pbtxt")} == before


def spoil(repository: Path) -> None:
    """Edit one config, take away another, and leave one of a profile that is gone."""
    fusion = repository / "fusion" / "config.pbtxt"
    fusion.write_text(fusion.read_text(encoding="utf-8") + "# by hand\n", encoding="utf-8")
    (repository / "expression" / "configs" / "gpu.pbtxt").replace(repository / "whisper" / "configs" / "gone.pbtxt")


def test_the_check_names_what_differs_and_the_remedy_and_writes_nothing(repository: Path):
    spoil(repository)
    before = {file: file.read_bytes() for file in repository.rglob("*.pbtxt")}
    with pytest.raises(TriptychError) as caught:
        run("--check", "--repository", repository)
    message = str(caught.value)
    assert "run `triptych configs`" in message
    assert message.count(".pbtxt") == 3
    for name in ("fusion/config.pbtxt", "expression/configs/gpu.pbtxt", "whisper/configs/gone.pbtxt (no profile"):
        assert name in message
    assert {file: file.read_bytes() for file in repository.rglob("*.pbtxt")} == before


def test_writing_mends_what_the_check_names(repository: Path):
    spoil(repository)
    assert run("--repository", repository).count(".pbtxt") == 3
    assert run("--check", "--repository", repository) == ""
    assert not (repository / "whisper" / "configs" / "gone.pbtxt").exists()


def test_a_config_that_someone_wrote_by_hand_is_left_alone(repository: Path):
    own = repository / "whisper" / "configs" / "mine.pbtxt"
    own.write_text('name: "whisper"\n', encoding="utf-8")
    assert run("--check", "--repository", repository) == ""
    assert run("--repository", repository) == ""
    assert own.read_text(encoding="utf-8") == 'name: "whisper"\n'
