"""This project's own trained weights, as the catalogue has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from export import catalog, fetch
from export.catalog import Entry, Weights
from triptych.errors import TriptychError

OWN = [entry for entry in catalog.load().values() if entry.weights is not None]


def test_weights_are_taken_from_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights" / "toy" / "model.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    monkeypatch.setattr(fetch, "OWN_WEIGHTS", tmp_path / "weights")
    entry = Entry("toy", "a toy", "none", weights=Weights("toy/model.safetensors", fetch.sha256(file)))
    assert fetch.fetch(entry, tmp_path / "cache") == file.parent
    file.write_bytes(b"other weights")
    with pytest.raises(TriptychError, match="git checkout"):
        fetch.fetch(entry, tmp_path / "cache")


@pytest.mark.parametrize("entry", OWN, ids=lambda entry: entry.name)
def test_own_weights_are_whole_small_and_described(entry: Entry, tmp_path: Path) -> None:
    folder = fetch.fetch(entry, tmp_path)
    described = {"README.md", "confusion.png"} if list(folder.glob("*.safetensors")) else {"README.md"}
    assert described < {path.name for path in folder.iterdir()}
    assert sum(path.stat().st_size for path in folder.glob("*.safetensors")) <= 15e6


def test_own_weights_are_small_together() -> None:
    assert sum(path.stat().st_size for path in fetch.OWN_WEIGHTS.rglob("*.safetensors")) <= 40e6
