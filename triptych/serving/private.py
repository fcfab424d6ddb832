"""What one running server has for itself alone: a folder of its sockets and links, and shared memory by its name.

Both lie in /dev/shm, which Triton needs anyway: the path is short (that of a Unix socket has at most 107 bytes) and
plain (Triton's Python backend hands paths to a shell), and containers that share it see each other there. The name is
random, since process ids and ports are the same in two containers. The folder is locked for as long as its owner lives;
one that is not locked is a dead owner's, and goes with all its shared memory when the next server starts.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from triptych.errors import TriptychError

SHARED_MEMORY = Path("/dev/shm")
PREFIX = "triptych-"
CONTROL = "control"
"""The owner's own socket in its folder, beside those of Triton."""
RANDOM = 8
"""Characters that mkdtemp puts behind it."""


class Private:
    """A server's own folder, mode 0700, and the prefix of its regions of shared memory; `close` removes both."""

    def __init__(self) -> None:
        sweep()
        self.folder, self._lock = _claim()
        self.name = self.folder.name

    @property
    def regions(self) -> str:
        """What the names of the server's regions begin with."""
        return f"{self.name}_"

    def empty(self) -> None:
        """Remove the shared memory and the sockets of Triton, which has ended."""
        _remove_regions(self.folder)
        for path in self.folder.iterdir():
            if path.is_socket() and path.name != CONTROL:
                path.unlink()

    def close(self) -> None:
        """Remove everything."""
        _remove(self.folder)
        os.close(self._lock)


def sweep() -> None:
    """Remove what dead owners have left: killed ones cannot do it themselves."""
    for folder in folders():
        lock = _lock(folder)
        if lock is not None:
            _remove(folder)
            os.close(lock)


def folders() -> list[Path]:
    """Return the folders of all owners, of other users too."""
    return [path for path in SHARED_MEMORY.glob(PREFIX + RANDOM * "?") if path.is_dir() and not path.is_symlink()]


def _regions(folder: Path) -> Iterator[Path]:
    return folder.parent.glob(f"{folder.name}_*")


def _claim() -> tuple[Path, int]:
    """Make a folder and lock it. In between, another server may take it for a dead owner's: then make another."""
    while True:
        try:
            folder = Path(mkdtemp(prefix=PREFIX, dir=SHARED_MEMORY))
        except OSError as error:
            raise TriptychError(
                f"Triton needs shared memory, but {SHARED_MEMORY} cannot be written: {error.strerror}. Mount it: mount "
                f"-t tmpfs -o size=2G shm {SHARED_MEMORY}, or docker run --shm-size=2g"
            ) from error
        lock = _lock(folder)
        if lock is not None:
            return folder, lock


def _lock(folder: Path) -> int | None:
    """Lock a folder until the process ends or the returned descriptor is closed; None when another has it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # gone, or another user's
        return None
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
            return descriptor
    os.close(descriptor)
    return None


def _remove(folder: Path) -> None:
    _remove_regions(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_regions(folder: Path) -> None:
    for region in _regions(folder):
        with suppress(OSError):
            region.unlink()
