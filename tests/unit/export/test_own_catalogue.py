"""Catalogues of one's own, beside ours: TRIPTYCH_CATALOG."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from export import catalog, runner, stamp
from export.fetch import fetch
from triptych.errors import TriptychError
from triptych.serving.checksums import sha256

ENTRY = """
[quiet-voice]
step = "voice_emotion"
role = "voice"
title = "a voice model that says nothing"
licence = "MIT"
"""
NETWORK = """
from sizes import WIDTH
from triptych_client.contract import EMOTIONS


def load(folder):
    return {"model.onnx": f"{(folder / 'quiet.txt').read_text()} {WIDTH} {len(EMOTIONS)}"}
"""

Own = Callable[[str], Path]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Own]:
    """Writes a catalogue that is read from then on."""
    path = tmp_path / "own" / "catalog.toml"
    path.parent.mkdir()
    monkeypatch.setattr(sys, "path", sys.path.copy())
    for module in ("quiet_voice", "sizes"):
        monkeypatch.delitem(sys.modules, module, raising=False)

    def write(content: str) -> Path:
        path.write_text(content)
        monkeypatch.setenv(catalog.OWN, str(path))
        catalog.load.cache_clear()
        return path

    yield write
    catalog.load.cache_clear()


def quiet(folder: Path, field: str = "") -> str:
    """An entry with its weights and network beside the catalogue."""
    (folder / "quiet.txt").write_text("quiet")
    (folder / "quiet_voice.py").write_text(NETWORK)
    (folder / "sizes.py").write_text("WIDTH = 3\n")
    weights = f'weights = {{ file = "quiet.txt", sha256 = "{sha256(folder / "quiet.txt")}" }}\n'
    return f'{ENTRY}network = "quiet_voice:load"\n{weights}{field}'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[", "cannot read the catalogue .*catalog.toml"),
        (ENTRY.replace("quiet-voice", "wav2vec2") + "vacant = true", "both have an entry wav2vec2: rename one"),
        (ENTRY + "vacant = true\ncolour = 3", "quiet-voice in .* is no entry of a catalogue: .*colour"),
        ("[quiet-voice]\nstep = 'voice_emotion'", "no entry of a catalogue: .*title"),
        (ENTRY.replace("voice_emotion", "voice"), "is for the step voice: there are .*voice_emotion"),
        (ENTRY, "has to have one of network, settings and vacant"),
        (ENTRY + "vacant = true\nneeds = ['nothing']", "quiet-voice in .* names nothing: no such entry"),
        ("weights = 3", "weights in .* is no entry"),
    ],
)
def test_what_is_no_catalogue_is_named(own: Own, content: str, reason: str):
    own(content)
    with pytest.raises(TriptychError, match=reason):
        catalog.load()


def test_a_catalogue_that_is_not_there_is_named(own: Own):
    own("").unlink()
    with pytest.raises(TriptychError, match=r"cannot read the catalogue .*catalog\.toml"):
        catalog.load()


def test_an_own_model_can_be_chosen_and_be_the_default(own: Own, tmp_path: Path):
    own(quiet(tmp_path / "own"))
    assert catalog.choose({"voice": "quiet-voice"})["voice_emotion"].own
    assert catalog.choose({})["voice_emotion"].name == "whisper-states"
    own(quiet(tmp_path / "own", "default = true\n"))
    assert catalog.choose({})["voice_emotion"].name == "quiet-voice"


def test_its_weights_lie_beside_the_catalogue_and_are_checked(own: Own, tmp_path: Path):
    path = own(quiet(tmp_path / "own"))
    entry = catalog.load()["quiet-voice"]
    assert fetch(entry, tmp_path / "cache") == path.parent
    (path.parent / "quiet.txt").write_text("loud")
    with pytest.raises(TriptychError, match=r"quiet\.txt is missing, or its sha256 is not"):
        fetch(entry, tmp_path / "cache")


def test_it_is_exported_stale_when_its_code_changes_and_not_lost(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = own(quiet(tmp_path / "own"))
    repository, cache = tmp_path / "repository", tmp_path / "cache"
    (plan,) = [plan for plan in runner.plan(repository, {"voice": "quiet-voice"}, {}) if plan.entry.own]
    done: list[str] = []
    export = lambda: runner.make([plan], repository, cache, lambda name, doing: done.append(doing))  # noqa: E731
    target = repository / "voice_emotion" / "1"
    export()
    assert (target / "model.onnx").read_text() == "quiet 3 7"
    assert json.loads((target / stamp.STAMP).read_text())["catalog"] == str(path)
    export()
    assert done == ["download", "export"]
    (path.parent / "sizes.py").write_text("WIDTH = 4\n")
    export()
    assert done == ["download", "export"] * 2
    assert stamp.code_of(plan.entry).files.keys() == {"quiet_voice", "sizes"}
    assert stamp.code_of(plan.entry).constants == {"triptych_client.contract:EMOTIONS"}
    monkeypatch.delenv(catalog.OWN)
    catalog.load.cache_clear()
    with pytest.raises(TriptychError, match=f"holds quiet-voice of the catalogue {path}, .*--set voice="):
        runner.plan(repository, {}, {})
    chosen = {item.entry.step: item.entry.name for item in runner.plan(repository, {"voice": "no-voice"}, {})}
    assert chosen["voice_emotion"] == "no-voice"


def test_a_module_that_another_stands_before_is_named(own: Own, tmp_path: Path):
    path = own(quiet(tmp_path / "own"))
    (path.parent / "json.py").write_text("")
    with pytest.raises(TriptychError, match=r"is imported in place of .*own/json\.py: give that another name"):
        catalog.resolve("json:load", path.parent)


def test_a_network_that_is_not_there_is_named(own: Own, tmp_path: Path):
    path = own(quiet(tmp_path / "own"))
    (path.parent / "quiet_voice.py").unlink()
    with pytest.raises(TriptychError, match=f"quiet-voice in {path}: cannot read its network quiet_voice"):
        stamp.code_of(catalog.load()["quiet-voice"])
