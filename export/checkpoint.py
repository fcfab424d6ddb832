"""Published checkpoints: `dir:PATH`, a folder as a model hub holds it, `hub:NAME[@REVISION]`, fetched from there, or
`file:PATH`, one file of another form.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from export.fetch import sha256
from triptych.errors import TriptychError

PATTERNS = ("*.json", "*.txt", "*.model", "*.safetensors", "README.md")
"""The files of a checkpoint that are read; a hub's other formats of the same weights are left there."""
FILE = "file"
PICKLED = "pytorch_model*.bin"
"""Weights of older checkpoints; transformers reads tensors from them and nothing else (`weights_only`)."""


def normalise(source: str) -> str:
    """Return the source with an absolute path; TriptychError when it is none of `hub:NAME`, `dir:PATH`, `file:PATH`."""
    kind, _, name = source.partition(":")
    if kind not in ("hub", "dir", FILE) or not name:
        raise TriptychError(f"a checkpoint is named by hub:NAME, dir:PATH or file:PATH, not {source}")
    return source if kind == "hub" else f"{kind}:{Path(name).expanduser().resolve()}"


def is_file(source: str) -> bool:
    """Tell whether a source is one file."""
    return source.startswith(f"{FILE}:")


def fetch(source: str) -> Path:
    """Return the folder, or the file, of a source, downloading from the hub what is not in its cache yet.

    TriptychError when it is no source, the folder holds no checkpoint, or the hub does not answer or has no such model.
    """
    kind, _, name = normalise(source).partition(":")
    if kind == FILE:
        if not Path(name).is_file():
            raise TriptychError(f"there is no file {name}")
        return Path(name)
    folder = Path(name) if kind == "dir" else _download(name)
    if not (folder / "config.json").is_file():
        raise TriptychError(f"there is no config.json in {folder}: dir: takes a folder as a model hub holds it")
    if not any(path.suffix in (".safetensors", ".bin") for path in _files(folder)):
        raise TriptychError(f"there are no weights in {folder}: model.safetensors, or pytorch_model.bin, is missing")
    return folder


def digest(checkpoint: Path) -> str:
    """Return the sha256 of what `sha256sum FILES` prints of the checkpoint's files, in the order of their names."""
    files = [checkpoint] if checkpoint.is_file() else _files(checkpoint)
    lines = "".join(f"{sha256(path)}  {path.name}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def licence(folder: Path) -> str:
    """Return the licence that the front matter of a folder's README.md names, or that it names none."""
    from huggingface_hub import ModelCard
    from yaml import YAMLError

    unknown = "as of its source, which names none"
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
        if not text.startswith("---"):
            return unknown
        data = ModelCard(text, ignore_metadata_errors=True).data
    except (OSError, ValueError, YAMLError):
        return unknown
    return str(data.get("license_name") or data.get("license") or unknown)


def _files(folder: Path) -> list[Path]:
    """Return the checkpoint's files by name."""
    return sorted(path for pattern in (*PATTERNS, PICKLED) for path in folder.glob(pattern))


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download

    repository, _, revision = name.partition("@")
    try:
        folder = Path(snapshot_download(repository, revision=revision or None, allow_patterns=list(PATTERNS)))
        if not any(folder.glob("*.safetensors")):
            patterns = [*PATTERNS, PICKLED]
            folder = Path(snapshot_download(repository, revision=revision or None, allow_patterns=patterns))
    except (OSError, ValueError, RuntimeError) as error:
        raise TriptychError(
            f"cannot fetch {name} from the model hub: {error}. Where no hub is reachable, copy its files "
            "(config.json, model.safetensors and what lies beside them) and use dir:PATH."
        ) from error
    return folder
