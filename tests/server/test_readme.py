"""The README's code is run: what a reader pastes must work.

Three are not run as they are written, which would take too long: `make test`, since this is it; `triptych train`, which
wants corpora (tests/unit/training trains on miniatures); and the swap of the face, which test_face_swap.py exports and
serves, and test_adding_a_model.py makes by the command line with another model. tests/unit/docs reads all of them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from samples.repositories import home_with
from triptych.paths import BUILD, ROOT
from triptych.serving.service import Service

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKE = shutil.which("make") or "make"
BINARIES = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def commands(program: str) -> list[str]:
    lines = "".join(blocks("sh")).replace(".venv/bin/", "").splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.startswith(program)]


def run(line: str, folder: Path, **variables: str) -> str:
    """Run a command line as a reader would; return what it printed."""
    words = shlex.split(line)
    environment = {**os.environ, "PATH": f"{BINARIES}:{os.environ['PATH']}", **variables}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("line", commands("make "))
def test_make_has_the_target(line: str):
    run(f"{MAKE} --dry-run {line.removeprefix('make ')}", ROOT)


@pytest.fixture(scope="module")
def home(repository: Path) -> Iterator[Path]:
    """What TRIPTYCH_HOME is set to: a place where every default model is exported already."""
    with home_with(repository, BUILD / "tests") as home:
        yield home


@pytest.mark.server
def test_the_demo_is_made_as_written(home: Path):
    """By the packages that are installed: the set-up, which `make` would begin with, is what the tests run in."""
    assert "make demo" in commands("make ")
    shown = run(f"{MAKE} demo --old-file=.venv/demo BIN={BINARIES}", ROOT, TRIPTYCH_HOME=str(home))
    answer = json.loads((home / "build" / "demo" / "answer.json").read_text(encoding="utf-8"))
    assert answer["transcript"]["text"].split()[0] in shown


@pytest.mark.server
def test_the_models_are_listed_as_written(home: Path):
    (line,) = (line for line in commands("triptych export") if "--list" in line)
    assert "cnn-time" in run(line, home, TRIPTYCH_HOME=str(home), COLUMNS="200")


@pytest.fixture
def folder(tmp_path: Path, short_clip: Path) -> Path:
    """A folder with the clips that the README speaks of."""
    (tmp_path / "footage").mkdir()
    shutil.copy(short_clip, tmp_path / "clip.mp4")
    shutil.copy(short_clip, tmp_path / "footage" / "one.mp4")
    return tmp_path


@pytest.mark.server
@pytest.mark.parametrize("line", commands("triptych analyze"))
def test_the_command_line_works_as_written(line: str, folder: Path, server: Service):
    run(f"{line} --url {server.grpc_url}", folder)


@pytest.mark.server
@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_works_as_written(code: str, folder: Path, server: Service):
    run(shlex.join((sys.executable, "-c", code.replace("localhost:8001", server.grpc_url))), folder)
