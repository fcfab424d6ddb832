"""The catalogue, the download of weights, and the runner."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from export import catalog, fetch, runner
from triptych.errors import TriptychError
from triptych.paths import ROOT
from triptych_client.contract import CHANNELS


def test_every_entry_says_what_it_is_and_under_which_licence():
    for entry in catalog.load().values():
        assert entry.title
        assert entry.licence


def test_every_file_is_named_with_its_sha256():
    wheels = [wheel for entry in catalog.load().values() for wheel in entry.wheel]
    weights = [entry.weights for entry in catalog.load().values() if entry.weights]
    assert len(wheels) > 5
    assert len(weights) > 5
    assert {len(file.sha256) for file in (*wheels, *weights)} == {64}


NETWORKS = [entry for entry in catalog.load().values() if entry.network]


@pytest.mark.parametrize("entry", NETWORKS, ids=lambda entry: entry.name)
def test_every_network_exists_and_takes_the_folders_of_its_entry(entry: catalog.Entry):
    network = catalog.resolve(entry.network)
    folders = [Path()] * (entry.has_files + len(entry.needs))
    inspect.signature(getattr(network, "load", network)).bind(*folders)


def test_every_channel_has_one_default():
    roles = [entry.role for entry in catalog.load().values() if entry.default]
    assert [roles.count(channel) for channel in CHANNELS] == [1] * len(CHANNELS)


def test_every_step_has_one_default_that_stays_when_nothing_is_brought():
    steps = [entry.step for entry in catalog.load().values() if entry.default]
    assert len(steps) == len(set(steps))
    hosts = [entry for entry in catalog.load().values() if entry.brings]
    assert hosts
    for host in hosts:
        assert {catalog.load()[name].step for name in host.brings} <= set(steps) - {host.step}


def test_every_model_has_one_source_of_weights():
    for entry in catalog.load().values():
        assert [bool(entry.wheel), entry.weights is not None, entry.published].count(True) <= 1


def test_a_second_set_of_packages_is_pinned_and_gives_the_same_files():
    entries = [entry for entry in catalog.load().values() if entry.second]
    assert [entry.name for entry in entries] == ["whisper-base"]
    for packages in entries[0].second:
        assert {len(wheel.sha256) for wheel in packages.wheel} == {64}
        assert files(packages) == files(entries[0].packages[0])


def files(packages: catalog.Packages) -> set[str]:
    """Names of the files that packages leave in the entry's folder."""
    parts = {part for parts in packages.join.values() for part in parts}
    return {Path(member).name for wheel in packages.wheel for member in wheel.members} - parts | {*packages.join}


def test_what_is_fetched_has_its_size_in_the_catalogue(weights: Callable[[str], Path]):
    fetched = [entry for entry in catalog.load().values() if entry.wheel and entry.step]
    assert all(entry.megabytes for entry in fetched)
    for entry in fetched:
        if entry.default:
            size = sum(path.stat().st_size for path in weights(entry.name).iterdir())
            assert size / 1e6 == pytest.approx(entry.megabytes, abs=0.05 + 0.02 * entry.megabytes)


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
    chosen = {step: entry.name for step, entry in catalog.choose({}).items()}
    runner.export(repository, Path("unused"), chosen, report=lambda *what: seen.append(what))
    assert seen == [(name, "ready") for name in chosen.values()]
    assert runner.exported(repository) == chosen


WITHOUT_EXTRA = """
import sys
for package in ("h5py", "huggingface_hub", "onnx", "onnxscript", "safetensors", "torch", "transformers"):
    sys.modules[package] = None  # import raises ModuleNotFoundError
from pathlib import Path
from rich.console import Console
from export import listing, runner
from triptych.errors import TriptychError
repository, empty = map(Path, sys.argv[1:])
Console(width=200).print(listing.table(repository))
runner.export(repository, empty, {}, report=lambda name, doing: print(name, doing))
try:
    runner.export(empty, empty, {"voice": "no-voice"}, report=lambda name, doing: None)
except TriptychError as error:
    print(error)
"""


def test_a_host_without_the_export_extra_lists_and_checks_and_is_told_what_exporting_needs(
    repository: Path, tmp_path: Path
):
    command = [sys.executable, "-c", WITHOUT_EXTRA, str(repository), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert "swinv2 (chosen)" in done.stdout
    assert "whisper-states ready" in done.stdout
    assert re.search(
        r"^to export a model, \w+ is missing: pip install 'triptych\[export\]'$", done.stdout, re.MULTILINE
    )
