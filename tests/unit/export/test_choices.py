"""Choosing models for the export: by channel or step, with what they bring, and from published checkpoints."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from export import catalog, checkpoint, listing, runner
from export.stamp import STAMP, Stamp
from samples.checkpoints import make_checkpoint
from samples.disk import full_disk
from triptych.commands.cli import parse_choices
from triptych.errors import TriptychError
from triptych.serving.checksums import sha256

CATALOG = """
[light]
step = "expression"
role = "face"
default = true

[published]
step = "expression"
role = "face"
published = true

[large]
step = "expression"
role = "face"
published = true
hub = "someone/large"

[one-file]
step = "expression"
role = "face"
published = true
file = true

[reader]
step = "text_emotion"
role = "words"
published = true

[yamnet]
step = "sound_tagger"
role = "audio_tags"
default = true

[ast]
step = "sound_tagger"
role = "audio_tags"
published = true
brings = ["ast-features", "ast-comparison"]

[yamnet-features]
step = "sound_features"
default = true

[ast-features]
step = "sound_features"

[other-features]
step = "sound_features"

[comparison]
step = "sound_emotion"
role = "sound"
default = true

[ast-comparison]
step = "sound_emotion"
role = "sound"
needs = ["ast"]
"""
FIELDS = 'title = "a model"\nlicence = "MIT"\nnetwork = "recorder:load"\n'
AST = {"sound_tagger": "ast", "sound_features": "ast-features", "sound_emotion": "ast-comparison"}


RECORDER = """
import json
import sys
from triptych.errors import TriptychError


def load(*folders):
    '''A network that writes down what it was given.'''
    given = [(path if path.is_file() else path / "config.json").read_text() for path in folders]
    if "broken" in given:
        raise TriptychError("the checkpoint is broken")
    if "large" in given:
        return {"model.onnx": "large" * 9999, "labels.txt": ""}
    return {"model.onnx": json.dumps(given), "labels.txt": "Speech\\n"}
"""


@pytest.fixture(autouse=True)
def small_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    path = tmp_path / "catalog.toml"
    path.write_text(CATALOG.replace('\nstep = "', f'\n{FIELDS}step = "'))
    (tmp_path / "recorder.py").write_text(RECORDER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "recorder", raising=False)
    monkeypatch.setattr(catalog, "CATALOG", path)
    monkeypatch.setattr(runner, "fetch", lambda entry, cache: own_files(tmp_path))
    catalog.load.cache_clear()
    yield
    catalog.load.cache_clear()


def own_files(folder: Path) -> Path:
    (folder / "config.json").write_text("own")
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


def export(repository: Path, choices: dict[str, str] | None = None, sources: dict[str, str] | None = None) -> list[str]:
    """Export; return the entries that were exported anew."""
    done: list[tuple[str, str]] = []
    cache = repository.parent / "cache"
    runner.export(repository, cache, choices or {}, lambda *what: done.append(what), sources=sources)
    assert not list(cache.glob("export-*"))
    return [name for name, doing in done if doing == "export"]


def manifest(repository: Path, step: str) -> dict[str, str]:
    lines = json.loads((repository / "fusion" / "1" / "models.json").read_text())
    return next(line for line in lines if line["step"] == step)


def names(choices: dict[str, str], kept: dict[str, str] | None = None) -> dict[str, str]:
    return {step: entry.name for step, entry in catalog.choose(choices, kept).items()}


@pytest.mark.parametrize("slot", ["face", "expression"])
def test_a_model_is_set_by_its_channel_or_its_step(slot: str):
    assert names({slot: "published"})["expression"] == "published"


def test_short_names_of_roles():
    assert catalog.step_of("tags") == catalog.step_of("audio_tags") == catalog.step_of("sound_tagger")
    assert [catalog.slot_of(step) for step in ("sound_tagger", "expression", "sound_features")] == [
        "tags",
        "face",
        "sound_features",
    ]


def test_what_a_model_brings_comes_and_goes_with_it():
    assert names({"tags": "ast"}).items() >= AST.items()
    assert names({"face": "published"}, kept=AST).items() >= AST.items()
    assert names({"tags": "yamnet"}, kept=AST) == names({})


def test_a_free_choice_of_a_step_stays_when_others_change():
    kept = {"sound_features": "other-features"}
    assert names({"face": "published"}, kept)["sound_features"] == "other-features"


@pytest.mark.parametrize(
    ("choices", "kept", "reason"),
    [
        ({"tags": "ast", "sound_features": "other-features"}, {}, "other-features does not go with ast"),
        ({"sound_features": "yamnet-features"}, AST, "set sound_tagger to another model too"),
        ({"sound": "ast-comparison"}, {}, "comes along with its model only: set sound_tagger=ast"),
        ({"sound": "ast"}, {}, "ast is one of tags: set tags=ast"),
        ({"face": "light", "expression": "large"}, {}, "set twice, to light and to large"),
        ({"nowhere": "light"}, {}, "there is no step nowhere: .*triptych models"),
    ],
)
def test_what_does_not_go_together_is_refused(choices: dict[str, str], kept: dict[str, str], reason: str):
    with pytest.raises(TriptychError, match=reason):
        catalog.choose(choices, kept)


def test_a_choice_and_its_checkpoint_stay(repository: Path, tmp_path: Path):
    folder = make_checkpoint(tmp_path / "mine", readme="---\nlicense: cc-by-4.0\n---\n# Mine\n")
    assert export(repository, {"face": "published"}, {"face": f"dir:{folder}"}) == [
        "published",
        "yamnet",
        "yamnet-features",
        "comparison",
    ]
    line = manifest(repository, "expression")
    assert (line["licence"], line["source"]) == ("cc-by-4.0", f"dir:{folder}")
    assert line["source_sha256"] == checkpoint.digest(folder)
    assert export(repository) == []
    assert export(repository, {"tags": "yamnet"}) == []
    make_checkpoint(folder, "second")
    assert export(repository) == ["published"]
    assert "second" in (repository / "expression" / "1" / "model.onnx").read_text()


def test_a_file_that_is_gone_or_changed_is_restored(repository: Path):
    export(repository)
    path = repository / "expression" / "1" / "model.onnx"
    whole = path.read_bytes()
    path.unlink()
    assert export(repository) == ["light"]
    path.write_bytes(b"half of")
    assert export(repository) == ["light"]
    assert path.read_bytes() == whole
    assert export(repository) == []


def test_the_stamp_names_every_file_with_its_sha256(repository: Path):
    export(repository)
    folder = repository / "sound_tagger" / "1"
    files = {path.name: sha256(path) for path in folder.iterdir() if path.name != STAMP}
    assert Stamp.read(folder).files == files
    assert set(files) == {"model.onnx", "labels.txt"}


def test_a_folder_that_is_gone_is_not_missed(repository: Path, tmp_path: Path):
    folder = make_checkpoint(tmp_path / "mine")
    export(repository, {"face": "published"}, {"face": f"dir:{folder}"})
    folder.rename(tmp_path / "elsewhere")
    assert export(repository) == []
    assert manifest(repository, "expression")["licence"] == "as of its source, which names none"


def test_what_is_brought_reads_the_same_checkpoint(repository: Path, tmp_path: Path):
    folder = make_checkpoint(tmp_path / "ast", "tags")
    export(repository, {"tags": "ast"}, {"tags": f"dir:{folder}"})
    assert json.loads((repository / "sound_emotion" / "1" / "model.onnx").read_text()) == ["tags"]
    assert manifest(repository, "sound_emotion")["licence"] == "MIT"
    assert export(repository, {"tags": "yamnet"}) == ["yamnet", "yamnet-features", "comparison"]


def test_a_checkpoint_that_fails_leaves_the_repository_as_it_was(repository: Path, tmp_path: Path):
    export(repository)
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    folder = make_checkpoint(tmp_path / "mine", "broken")
    with pytest.raises(TriptychError, match="is broken"):
        export(repository, {"face": "published"}, {"face": f"dir:{folder}"})
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


def test_a_full_disk_leaves_the_repository_as_it_was_and_is_told(repository: Path, tmp_path: Path):
    export(repository)
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    folder = make_checkpoint(tmp_path / "mine", "large")
    with full_disk(9999), pytest.raises(TriptychError, match=r"no space for what is exported.*Free some space"):
        export(repository, {"face": "published"}, {"face": f"dir:{folder}"})
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before
    assert not list((tmp_path / "cache").glob("export-*"))
    assert export(repository) == []


def test_a_checkpoint_that_is_one_file_is_named_itself_or_by_its_folder(repository: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "weights.pth").write_text("one file")
    source = f"file:{tmp_path / 'mine' / 'weights.pth'}"
    for named in (source, f"dir:{tmp_path / 'mine'}"):
        assert "one-file" in export(repository, {"face": "one-file"}, {"face": named})
        assert manifest(repository, "expression")["source"] == source
        assert "one-file" not in export(repository)
        assert "light" in export(repository, {"face": "light"})
    (tmp_path / "mine" / "other.pth").write_text("another")
    with pytest.raises(TriptychError, match=r"one file of weights .*holds other\.pth, weights\.pth: use file:PATH"):
        export(repository, {"face": "one-file"}, {"face": f"dir:{tmp_path / 'mine'}"})


@pytest.mark.parametrize(
    ("choices", "source", "reason"),
    [
        ({}, "dir:somewhere", "light has its own weights and takes no --source .* published or large or one-file"),
        ({"face": "published"}, None, "name a checkpoint by --source face=dir:PATH or --source face=hub:NAME"),
        ({"face": "published"}, "somewhere", "by hub:NAME, dir:PATH or file:PATH, not somewhere"),
        ({"face": "published"}, "file:somewhere", "published takes a folder, .* --set face=one-file"),
        (
            {"face": "one-file"},
            "hub:someone/large",
            "one-file takes one file, file:PATH, .* --set face=published or large",
        ),
        ({"face": "one-file"}, "file:/nowhere", "there is no file /nowhere"),
        ({"face": "one-file"}, "dir:/nowhere", "/nowhere has to hold one file of weights .*holds none"),
        ({"face": "published"}, "dir:/nowhere", "there is no config.json in /nowhere"),
    ],
)
def test_a_source_that_does_not_fit_is_refused(
    repository: Path, choices: dict[str, str], source: str | None, reason: str
):
    with pytest.raises(TriptychError, match=reason):
        export(repository, choices, {"face": source} if source else None)
    assert not repository.exists()


def test_a_hub_that_does_not_answer_is_named_with_the_remedy(repository: Path, monkeypatch: pytest.MonkeyPatch):
    def unreachable(name: str, **options: object) -> str:
        assert (name, options["revision"]) == ("someone/large", None)
        raise ConnectionError("Connection refused")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(TriptychError, match=r"cannot fetch someone/large.*refused.*use dir:PATH"):
        export(repository, {"face": "large"})


def test_a_words_model_of_one_language_says_so_in_the_manifest(repository: Path, tmp_path: Path):
    folder = make_checkpoint(tmp_path / "mine", readme="---\nlanguage: en\n---\n")
    export(repository, {"words": "reader", "face": "published"}, {"words": f"dir:{folder}", "face": f"dir:{folder}"})
    assert manifest(repository, "text_emotion")["languages"] == ["en"]
    assert manifest(repository, "expression")["languages"] == []
    assert export(repository) == []


def test_the_list_shows_what_can_be_set_and_what_is_chosen(repository: Path, tmp_path: Path):
    folder = make_checkpoint(tmp_path / "ast")
    export(repository, {"tags": "ast"}, {"tags": f"dir:{folder}"})
    rows = listed(repository, tmp_path)
    assert {name for name, row in rows.items() if "(chosen)" in row} == {"light", "ast"}
    assert not {"ast-features", "yamnet-features", "ast-comparison"} & rows.keys()
    assert "brings ast-features, ast-comparison" in rows["ast"]
    assert f"dir:{folder}" in rows["ast"]
    assert re.search(r"here +0\.0 MB", rows["ast"])
    assert "--source face=dir:PATH or hub:NAME" in rows["published"]
    assert "to be named" in rows["published"]
    assert "hub:someone/large" in rows["large"]
    assert "not asked" in rows["large"]
    assert "--source face=file:PATH" in rows["one-file"]
    shutil.rmtree(folder)
    assert re.search(r"missing +0\.0 MB", listed(repository, tmp_path)["ast"])


def listed(repository: Path, folder: Path) -> dict[str, str]:
    """What is shown of each model: the line that begins with its slot, and those until the next."""
    console = Console(width=500, record=True, file=(folder / "out").open("w"))
    console.print(listing.table(repository, folder / "cache"))
    lines = console.export_text().splitlines()[1:]
    starts = [number for number, line in enumerate(lines) if not line.startswith(" ")]
    rows = ["\n".join(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)])]
    return {row.split()[1]: row for row in rows}


@pytest.mark.parametrize("choice", ["face", "=large", "face="])
def test_a_setting_of_another_form_is_refused(choice: str):
    with pytest.raises(TriptychError, match="the form is --set CHANNEL=MODEL, not"):
        parse_choices([choice], "--set CHANNEL=MODEL")


def test_a_setting_given_twice_is_refused():
    with pytest.raises(TriptychError, match="face is given twice, as light and as large"):
        parse_choices(["face=light", "face=large"], "--set CHANNEL=MODEL")
