"""Published checkpoints: fetched, told from others, and what they say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from export import checkpoint
from samples.checkpoints import make_checkpoint
from triptych.errors import TriptychError


def test_a_checkpoint_without_weights_is_refused(tmp_path: Path):
    (make_checkpoint(tmp_path / "mine") / "model.safetensors").unlink()
    with pytest.raises(TriptychError, match=r"no weights in .*model\.safetensors"):
        checkpoint.fetch(f"dir:{tmp_path / 'mine'}")


def test_a_revision_of_the_hub_and_old_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[object, bool]] = []

    def download(name: str, revision: str, allow_patterns: list[str]) -> str:
        asked.append((revision, checkpoint.PICKLED in allow_patterns))
        folder = make_checkpoint(tmp_path / "snapshot")
        (folder / "model.safetensors").replace(folder / "pytorch_model.bin")
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert checkpoint.fetch("hub:someone/old@abc") == tmp_path / "snapshot"
    assert asked == [("abc", False), ("abc", True)]


@pytest.mark.parametrize("readme", [None, "", "# no front matter", "---\n- a list\n---\n", "---\nlicense: [a\n---\n"])
def test_a_checkpoint_that_names_no_licence(tmp_path: Path, readme: str | None):
    assert checkpoint.licence(make_checkpoint(tmp_path / "mine", readme=readme)) == "as of its source, which names none"


@pytest.mark.parametrize(
    ("named", "languages"),
    [
        ("en", ("en",)),
        ("[en, ru]", ("en", "ru")),
        ("[multilingual, en]", ()),
        ("[en, klingon]", ("en",)),
        ("null", ()),
    ],
)
def test_the_languages_that_a_checkpoint_names(tmp_path: Path, named: str, languages: tuple[str, ...]):
    folder = make_checkpoint(tmp_path / "mine", readme=f"---\nlanguage: {named}\n---\n")
    assert checkpoint.languages(folder) == languages
