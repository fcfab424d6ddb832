"""The README's code is run: what a reader pastes must work."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from triptych.paths import ROOT
from triptych.serving.service import Service

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKE = shutil.which("make")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def commands(program: str) -> list[str]:
    lines = "".join(blocks("sh")).replace(".venv/bin/", "").splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.startswith(program)]


@pytest.mark.parametrize("line", commands("make "))
def test_make_has_the_target(line: str):
    assert MAKE, "make is on every machine that runs the tests"
    subprocess.run([MAKE, "--dry-run", *shlex.split(line)[1:]], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path, demo_clip: Path) -> Path:
    """A folder with the clips that the README speaks of."""
    (tmp_path / "footage").mkdir()
    shutil.copy(demo_clip, tmp_path / "clip.mp4")
    shutil.copy(demo_clip, tmp_path / "footage" / "one.mp4")
    return tmp_path


@pytest.mark.server
@pytest.mark.parametrize("line", commands("triptych analyze"))
def test_the_command_line_works_as_written(line: str, folder: Path, server: Service):
    triptych = Path(sys.executable).with_name("triptych")
    subprocess.run([triptych, *shlex.split(line)[1:], "--url", server.grpc_url], cwd=folder, check=True, timeout=300)


@pytest.mark.server
@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_works_as_written(code: str, folder: Path, server: Service):
    code = code.replace("localhost:8001", server.grpc_url)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=300)
