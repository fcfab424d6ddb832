"""docs/adding-a-model.md, followed word for word: a model in a folder of its own is exported, served, and answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from samples.repositories import home_with
from triptych.paths import BUILD, ROOT
from triptych.serving.checksums import sha256
from triptych_client.contract import EMOTIONS

PAGE = (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
FILES = re.findall(r"^`([\w./-]+)`:\n```\w+\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
(COMMANDS,) = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
OURS = ("client", "export", "networks", "training", "triptych", "weights")


@pytest.fixture
def home(repository: Path) -> Iterator[Path]:
    """What TRIPTYCH_HOME is set to: a place where every default model is exported already."""
    with home_with(repository, BUILD / "tests") as home:
        yield home


@pytest.fixture
def folder(short_clip: Path, tmp_path: Path) -> Path:
    """The files of the page, and a clip."""
    folder = tmp_path / "my-models"
    for name, content in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    shutil.copy(short_clip, folder / "clip.mp4")
    return folder


def ours() -> dict[Path, str]:
    """Every file of ours, with its sha256."""
    paths = [path for name in OURS for path in (ROOT / name).rglob("*") if path.is_file()]
    return {path: sha256(path) for path in paths if "__pycache__" not in path.parts}


@pytest.mark.server
def test_a_model_of_one_s_own_is_added_without_touching_a_file_of_ours(home: Path, folder: Path):
    assert [name for name, _ in FILES] == [
        "tiny_voice.py",
        "make_weights.py",
        "tiny-voice/README.md",
        "catalog.toml",
        "test_tiny_voice.py",
    ]
    before = ours()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "TRIPTYCH_HOME": str(home), "PATH": path}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", COMMANDS],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ours() == before
    answer = json.loads((home / "build" / "demo" / "answer.json").read_text(encoding="utf-8"))
    voice = answer["models"]["voice"]
    assert voice["name"] == "tiny-voice"
    assert voice["sha256"] == sha256(home / "model_repository" / "voice_emotion" / "1" / "model.onnx")
    channel = answer["channels"]["voice"]
    assert channel["probabilities"].keys() == set(EMOTIONS)
    assert channel["reason_code"] == "uncalibrated"
