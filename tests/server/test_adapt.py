"""`triptych adapt` on the real ensemble: unlabelled clips, seven numbers a channel, and answers that name them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from samples import clips
from triptych.answer.adaptation import ADAPTATION_FILE, Adaptation
from triptych.answer.manifest import Manifest
from triptych.commands import adapt as command
from triptych.commands.demo_speech import synthesise
from triptych.files import link_or_copy
from triptych.serving.service import Service
from triptych_client import Client

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def mine(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' models in a repository of its own, which is changed."""
    folder = tmp_path_factory.mktemp("mine") / "repository"
    shutil.copytree(repository, folder, copy_function=link_or_copy, symlinks=True)
    return folder


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spoken clips, one of no use, and what is no clip."""
    folder = tmp_path_factory.mktemp("ward 7")
    for number, line in enumerate(("I am so sad about this.", "I am so happy about this!")):
        spoken = synthesise(line, "en", words_per_minute=150)
        (folder / f"{number}.mp4").write_bytes(clips.make(sound=np.repeat(np.tile(spoken, (2, 1)), 3, axis=1)))
    (folder / "broken.mp4").write_bytes(b"no film")
    (folder / "notes.txt").write_text("not a clip", encoding="utf-8")
    return folder


def voice(folder: Path, repository: Path) -> tuple[np.ndarray, dict[str, str]]:
    """What the voice of the first clip is evidence of, and the models that say it."""
    with Service(repository) as server, Client(server.grpc_url) as client:
        answer = client.analyze(folder / "0.mp4", embeddings=True)
    return answer.embeddings["EVIDENCE"][2, :7], {role: model.name for role, model in answer.models.items()}


def test_answers_are_adapted_and_say_to_what(
    mine: Path, footage: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(command, "FEWEST", 2)
    before, models = voice(footage, mine)
    assert "adaptation" not in models
    command.adapt(footage, repository=mine)
    said = capsys.readouterr().err
    assert "left out: broken.mp4" in said
    found = Manifest.read(mine / "fusion" / "1").adaptation
    assert found.channels.keys() == {"voice"}, "no clip has a face"
    assert found.channels["voice"].clips == 2
    after, models = voice(footage, mine)
    np.testing.assert_allclose(after - before, found.channels["voice"].offset, atol=1e-3)
    assert models["adaptation"] == f"{footage.name} (voice)"


def test_what_was_adapted_is_adapted_anew_from_what_the_models_say(
    mine: Path, footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(command, "FEWEST", 2)
    before = Manifest.read(mine / "fusion" / "1").adaptation.channels["voice"].offset
    command.adapt(footage, name="again", out=tmp_path / "kept.json", repository=mine)
    kept = Adaptation.read(tmp_path / "kept.json")
    np.testing.assert_allclose(kept.channels["voice"].offset, before, atol=1e-3)
    command.adapt(undo=True, repository=mine)
    assert not (mine / "fusion" / "1" / ADAPTATION_FILE).exists()
    command.adapt(use=tmp_path / "kept.json", repository=mine)
    assert Manifest.read(mine / "fusion" / "1").adaptation.name == "again"
