"""Files of answers: whole or not there, whatever ends the command in between."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TextIO

from triptych_client.errors import TriptychClientError

PREFIX = ".triptych-"
"""Names of files that are being written: hidden, and short, so that any name of a clip leaves room for them."""


@contextmanager
def whole(path: Path) -> Iterator[TextIO]:
    """Give a text stream whose content is at `path` when all of it is written, and not before; parents are made.

    When writing fails, or is interrupted, nothing is left and a file that was there before stays. What is no regular
    file (a pipe, /dev/stdout) is written as it comes. TriptychClientError when the disk is full, or the like.
    """
    try:
        target = path.resolve()  # a link stays a link
        target.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(target) if target.is_file() or not target.exists() else _opened(target, "w") as stream:
            yield stream
    except OSError as error:
        raise TriptychClientError(
            f"cannot be written: {error.strerror or error}. Nothing of it is left", str(path)
        ) from error


@contextmanager
def _replacing(target: Path) -> Iterator[TextIO]:
    """Give a stream to a new file beside `target`, which takes its place at the end."""
    partial = target.with_name(f"{PREFIX}{secrets.token_hex(8)}.part")
    try:
        with _opened(partial, "x") as stream:
            yield stream
        if target.exists():
            shutil.copymode(target, partial)
        os.replace(partial, target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _opened(path: Path, mode: Literal["w", "x"]) -> TextIO:
    """Open a file for text in UTF-8; names of files, which answers hold, can have what that has not."""
    return path.open(mode, encoding="utf-8", errors="backslashreplace", newline="\n")
