"""What a bundle's wheels must hold, before and after pip has fetched them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import typer
from packaging.requirements import Requirement
from typer.testing import CliRunner

from export.bundle import wheels
from export.bundle.requirements import Target
from triptych.commands.bundle import bundle
from triptych.errors import TriptychError


@pytest.fixture
def triton(tmp_path: Path) -> Path:
    """A folder with a wheel of the embedded Triton that has stubs for two Pythons."""
    with zipfile.ZipFile(tmp_path / "nvidia_pytriton-0.7.0-py3-none-any.whl", "w") as archive:
        for version in ("3.9", "3.12"):
            archive.writestr(f"{wheels.STUBS}{version}/triton_python_backend_stub", "")
    return tmp_path


def test_a_python_that_triton_has_a_stub_for_is_well(triton: Path):
    wheels.check(triton, Target("3.12"))


def test_a_python_that_triton_has_no_stub_for_is_refused_with_those_it_has(triton: Path):
    with pytest.raises(TriptychError, match=r"no stub for Python 3\.11; it has those for 3\.9, 3\.12"):
        wheels.check(triton, Target("3.11"))


def test_with_cuda_its_libraries_have_to_be_there(triton: Path):
    with pytest.raises(TriptychError, match="brings no CUDA libraries"):
        wheels.check(triton, Target("3.12", cuda=True))
    (triton / "nvidia_cudnn_cu13-9.1-py3-none-any.whl").touch()
    wheels.check(triton, Target("3.12", cuda=True))


def test_an_installed_wheel_has_no_wheels_to_bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wheels, "SOURCES", tmp_path)
    with pytest.raises(TriptychError, match="made in a checkout of Triptych"):
        wheels.build(tmp_path)


def test_what_pip_cannot_have_is_said_in_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(TriptychError, match=r"(?s)`pip download` failed.*not-to-be-had"):
        wheels.download([Requirement("not-to-be-had")], tmp_path, Target("3.12"), alone=True)


def test_a_version_is_two_numbers(tmp_path: Path):
    app = typer.Typer()
    app.command()(bundle)
    result = CliRunner().invoke(app, [f"--out={tmp_path}", "--python=3"])
    assert isinstance(result.exception, TriptychError)
    assert "--python is a version such as 3.12, not 3" in str(result.exception)
