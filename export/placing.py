"""Puts what was built in place of what was exported: all of it or, where there is no space for it, nothing."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from export.stamp import SOURCES, STAMP
from triptych.errors import TriptychError

NEW = ".new-"
"""Before the name of a file that lies beside those that are served, and is not in place yet."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No space on the disk, none left of the user's share of it, a file larger than allowed."""


def place(built: Mapping[Path, Path]) -> None:
    """Put the files of each new folder into its version folder, in place of what was exported there.

    Everything is brought beside the old files before one of them goes, since another file system than that of the new
    folders may have no space for it. A version folder's stamp comes last. OSError: nothing has changed.
    """
    brought: list[Path] = []
    try:
        for folder, target in built.items():
            target.mkdir(parents=True, exist_ok=True)
            _sweep(target)
            for path in sorted(folder.iterdir()):
                brought.append(target / f"{NEW}{path.name}")
                shutil.move(path, brought[-1])
    except OSError:
        for path in brought:
            path.unlink(missing_ok=True)
        raise
    for target in built.values():
        _swap(target)


@contextmanager
def saying_when_full(repository: Path) -> Iterator[None]:
    """Turn the error of a full disk into a TriptychError with the remedy; what is done here leaves no half of it."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise TriptychError(
            f"there is no space for what is exported: {error}. {repository} is as it was. Free some space, then run "
            "the same command"
        ) from error


def _swap(target: Path) -> None:
    """Take away what was exported, and give the new files their names."""
    (target / STAMP).unlink(missing_ok=True)
    for path in target.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in SOURCES and not path.name.startswith(NEW):
            path.unlink()
    for path in sorted(target.glob(f"{NEW}*"), key=lambda path: path.name == f"{NEW}{STAMP}"):
        path.replace(target / path.name.removeprefix(NEW))


def _sweep(target: Path) -> None:
    """Take away what an export that was killed has left."""
    for path in target.glob(f"{NEW}*"):
        path.unlink()
