"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from triptych.errors import TriptychError

LARGE_BYTES = 1 << 20


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then move it there, so that `path` is always whole.

    TriptychError, with the old file kept, when it cannot be written.
    """
    partial = path.with_name(path.name + ".part")
    try:
        with writing(path):
            write(partial)
            os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as `write_atomically` writes."""
    write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Give a large file, which is only read, a second name where the file system can; copy others, and those.

    For shutil.copytree too.
    """
    if os.path.getsize(source) > LARGE_BYTES:
        with suppress(OSError):
            os.link(source, target)
            return
    shutil.copy2(source, target)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while `path`, a file or a folder of them, is written into a TriptychError."""
    try:
        yield
    except _failures() as error:
        kept = f"; the last {path.name} is kept" if path.exists() else ""
        raise TriptychError(
            f"cannot write {path}: {error}{kept}. Free some space, then run the same command."
        ) from error


def _failures() -> tuple[type[Exception], ...]:
    """Return what a full disk raises: PyTorch a RuntimeError, safetensors, where it is in use, an error of its own."""
    safetensors = sys.modules.get("safetensors")
    return (OSError, RuntimeError, *((safetensors.SafetensorError,) if safetensors else ()))
