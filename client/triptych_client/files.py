"""Files of answers: whole or not there, whatever ends the command in between."""

from __future__ import annotations

import io
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
    with placed(target) as partial, _opened(partial, "x") as stream:
        yield stream


@contextmanager
def placed(target: Path) -> Iterator[Path]:
    """Give the path of a file to write beside `target`, which takes its place at the end, and is gone otherwise."""
    partial = target.with_name(f"{PREFIX}{secrets.token_hex(8)}.part")
    try:
        yield partial
        if target.exists():
            shutil.copymode(target, partial)
        os.replace(partial, target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _opened(path: Path, mode: Literal["w", "x"]) -> TextIO:
    """Open a file for text in UTF-8; names of files, which answers hold, can have what that has not."""
    return path.open(mode, encoding="utf-8", errors="backslashreplace", newline="\n")


def whole_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file that `append` wrote, the torn end that a killed run may have left cut off."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = 0
        for line in file:
            if not line.endswith(b"\n"):
                file.truncate(end)
                return
            end += len(line)
            yield line.decode("utf-8")


def append(path: Path, data: bytes) -> int:
    """Write data to the end of a file and see that it is on the disk; return where it begins.

    On a full disk nothing of it is left, and the error is one line.
    """
    try:
        with path.open("ab", buffering=0) as file:
            start = file.seek(0, os.SEEK_END)
            try:
                _write(file, data)
            except OSError:
                file.truncate(start)
                raise
    except OSError as error:
        words = error.strerror or error
        raise TriptychClientError(f"cannot be written: {words}. What came before is kept", str(path)) from error
    return start


def _write(file: io.FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) or 0 :]
    os.fsync(file.fileno())
