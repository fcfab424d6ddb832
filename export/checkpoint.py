"""Published checkpoints, named by their source.

`dir:PATH`, a folder as a model hub holds it; `hub:NAME[@REVISION]`, fetched from there; `file:PATH`, one file of
another form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from triptych.errors import TriptychError
from triptych.serving.checksums import sha256
from triptych_client.contract import SPOKEN_LANGUAGES

PATTERNS = ("*.json", "*.txt", "*.model", "*.safetensors", "README.md")
"""The files of a checkpoint that are read; a hub's other formats of the same weights are left there."""
FILE = "file"
PICKLED = "pytorch_model*.bin"
"""Weights of older checkpoints; transformers reads tensors from them and nothing else (`weights_only`)."""

ANY_LANGUAGE = "multilingual"
TENSORS = ("*.pth", "*.pt", "*.bin", "*.safetensors")
"""What a file of weights of another form may be called."""


def normalise(source: str) -> str:
    """Return the source with an absolute path; TriptychError when it is none of `hub:NAME`, `dir:PATH`, `file:PATH`."""
    kind, _, name = source.partition(":")
    if kind not in ("hub", "dir", FILE) or not name:
        raise TriptychError(f"a checkpoint is named by hub:NAME, dir:PATH or file:PATH, not {source}")
    return source if kind == "hub" else f"{kind}:{Path(name).expanduser().resolve()}"


def is_file(source: str) -> bool:
    """Tell whether a source is one file."""
    return source.startswith(f"{FILE}:")


def only_file(source: str) -> str:
    """Return the `file:PATH` of the one file of weights in the folder of `dir:PATH`; TriptychError unless it is one."""
    folder = Path(source.partition(":")[2])
    found = sorted(path for pattern in TENSORS for path in folder.glob(pattern))
    if len(found) != 1:
        held = ", ".join(path.name for path in found) or "none"
        raise TriptychError(
            f"{folder} has to hold one file of weights ({' '.join(TENSORS)}), and holds {held}: use {FILE}:PATH"
        )
    return f"{FILE}:{found[0]}"


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
    """Return the licence that a folder's README.md names, or that it names none."""
    card = _card(folder)
    return str(card.get("license_name") or card.get("license") or "as of its source, which names none")


def languages(folder: Path) -> tuple[str, ...]:
    """Return the languages that a folder's README.md names, of those that can be recognised; none: it is for any."""
    named = _card(folder).get("language") or ()
    codes = (named,) if isinstance(named, str) else tuple(map(str, named))
    return () if ANY_LANGUAGE in codes else tuple(code for code in codes if code in SPOKEN_LANGUAGES)


def _card(folder: Path) -> Mapping[str, Any]:
    """Return the front matter of a folder's README.md; nothing when there is none that can be read."""
    from huggingface_hub import ModelCard
    from yaml import YAMLError

    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
        return ModelCard(text, ignore_metadata_errors=True).data.to_dict() if text.startswith("---") else {}
    except (OSError, ValueError, YAMLError):
        return {}


def size(checkpoint: Path) -> int:
    """Return the bytes of a checkpoint's files."""
    files = [checkpoint] if checkpoint.is_file() else _files(checkpoint)
    return sum(path.stat().st_size for path in files)


def cached(name: str) -> Path | None:
    """Return the folder of a model, NAME or NAME@REVISION, that was fetched from the hub before; None when none was."""
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError:  # a host that only serves
        return None
    repository, _, revision = name.partition("@")
    try:
        folder = Path(snapshot_download(repository, revision=revision or None, local_files_only=True))
    except (OSError, ValueError):
        return None
    return folder if any(path.suffix in (".safetensors", ".bin") for path in _files(folder)) else None


def size_on_hub(name: str, timeout_s: float) -> int | None:
    """Return the bytes that `fetch` would take of a model on the hub; None when it has it not, or does not answer."""
    try:
        from huggingface_hub import HfApi

        repository, _, revision = name.partition("@")
        model = HfApi().model_info(repository, revision=revision or None, timeout=timeout_s, files_metadata=True)
    except Exception:  # the library's, that of what it asks through, of the line: there is no answer
        return None
    held = {file.rfilename: file.size or 0 for file in model.siblings or ()}
    safe = any(fnmatch(file, "*.safetensors") for file in held)
    patterns = PATTERNS if safe else (*PATTERNS, PICKLED)
    return sum(held[file] for file in held if any(fnmatch(file, pattern) for pattern in patterns))


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
