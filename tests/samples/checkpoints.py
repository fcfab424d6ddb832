"""Folders in the form of a checkpoint, with nothing in them that a network could read."""

from __future__ import annotations

from pathlib import Path


def make_checkpoint(folder: Path, config: str = "first", readme: str | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(config)
    (folder / "model.safetensors").write_bytes(b"weights")
    if readme is not None:
        (folder / "README.md").write_text(readme)
    return folder
