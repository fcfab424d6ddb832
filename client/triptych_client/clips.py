"""Which files a command line means, and where their answers go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".3g2"),
        *(".flv", ".wmv", ".asf", ".ogv", ".vob", ".mxf", ".mjpeg", ".gif"),
        *(".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".wma", ".aif", ".aiff", ".amr", ".mka"),
    }
)
"""Files of a folder that are taken for media; a file that is named itself is always taken."""


@dataclass(frozen=True)
class Found:
    """A file to analyse. `relative` is its path below the folder it was found in, or its name."""

    path: Path
    relative: Path


def find(paths: Iterable[Path]) -> list[Found]:
    """Return the files among paths, and the media files in folders among them, at any depth, in order of name.

    Files that do not exist stay in the list: their failure is theirs alone.
    """
    found: dict[Path, Found] = {}
    for path in paths:
        for item in _inside(path) if path.is_dir() else [Found(path, Path(path.name))]:
            found.setdefault(item.path, item)
    return list(found.values())


def is_folder(out: str) -> bool:
    """Tell whether an output path means a folder: it is one, or ends with a slash."""
    return out.endswith(os.sep) or Path(out).is_dir()


def targets(found: Iterable[Found], folder: Path, suffix: str) -> list[Path]:
    """Return the file in `folder` for the answer of each clip; ValueError when two clips have the same."""
    paths = [folder / item.relative.with_suffix(suffix) for item in found]
    path, count = Counter(paths).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{count} clips would be written to {path}; analyse them with different --out folders")
    return paths


def _inside(folder: Path) -> list[Found]:
    files = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    return [Found(path, path.relative_to(folder)) for path in sorted(files)]
