"""A set of files that belong together, replaced in one stroke: a reader sees all of one set, or all of the next.

Each set lies in a folder of its own beside the others, named by its content; the link `.current` points to the one
that holds, and the files' usual names are links through it. Moving one link moves them all, which is how Kubernetes
updates the files of a ConfigMap (its link is called `..data`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import TypeVar

from triptych.errors import TriptychError

LINK = ".current"
PREFIX = ".set-"
PARTIAL = ".partial-"
"""What a writer that was killed may leave; the next one sweeps it away."""

Owner = TypeVar("Owner")
Content = TypeVar("Content")


def publish(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make these files, by relative path, what readers of `folder` see; the same ones again change nothing.

    One writer at a time. The set before stays for readers that are still at it; older ones go.
    """
    before, name = current(folder).name, PREFIX + digest(files)[:16]
    if name != before or not is_whole(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not _holds(folder / name, files):
            _write(folder / name, files)
        link(folder / LINK, name)
        for old in (*folder.glob(f"{PREFIX}*"), *folder.glob(f"{PARTIAL}*")):
            if old.name not in {before, name}:
                shutil.rmtree(old)
    _link_names(folder, {PurePosixPath(path).parts[0] for path in files})


def current(folder: Path) -> Path:
    """Return where the files of `folder` are to be read from, as long as it takes: the present set, or plain files."""
    return (folder / LINK).resolve() if (folder / LINK).is_dir() else folder


def whole(read: Callable[[type[Owner], Path], Content]) -> Callable[[type[Owner], Path], Content]:
    """Let `read(cls, folder)` read one set of files. An error counts when the same set gives it twice.

    The set may have been removed under the reader's hands.
    """

    @wraps(read)
    def again(cls: type[Owner], folder: Path) -> Content:
        failed: Path | None = None
        while True:
            generation = current(folder)
            try:
                return read(cls, generation)
            except (OSError, TriptychError):
                if generation == failed:
                    raise
                failed = generation

    return again


def is_whole(folder: Path) -> bool:
    """Tell whether the present set is there as it was published; in a copied folder the link may be a folder itself."""
    generation = current(folder)
    return generation != folder and (folder / (PREFIX + digest(contents(generation))[:16])).is_dir()


def contents(generation: Path) -> dict[str, bytes]:
    """Return the files of a set, by relative path: that of `current`."""
    found = (path for path in generation.rglob("*") if path.is_file())
    return {path.relative_to(generation).as_posix(): path.read_bytes() for path in found}


def digest(files: Mapping[str, bytes]) -> str:
    """Return a sha256 over names and contents."""
    lines = (f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    return folder.is_dir() and contents(folder) == files


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a set beside its place and move it there; a damaged one of the same name goes."""
    partial = Path(mkdtemp(dir=target.parent, prefix=PARTIAL))
    try:
        partial.chmod(0o755)
        for name, content in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _link_names(folder: Path, names: set[str]) -> None:
    """Give the files their usual names, and take those away that a set before had."""
    for name in names:
        link(folder / name, f"{LINK}/{name}")
    for path in folder.iterdir():
        if path.is_symlink() and path.name not in names and os.readlink(path).startswith(f"{LINK}/"):
            path.unlink()


def link(path: Path, target: str) -> None:
    """Make `path` a link to `target` in one stroke, whatever was there: a copied repository has files for links."""
    if path.is_symlink() and os.readlink(path) == target:
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    partial = Path(mkdtemp(dir=path.parent, prefix=PARTIAL))
    try:
        (partial / path.name).symlink_to(target)
        (partial / path.name).replace(path)
    finally:
        partial.rmdir()
