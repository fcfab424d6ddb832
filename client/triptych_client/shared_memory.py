"""A clip in memory that the server opens, instead of a clip that is sent: for a server on the same host.

The memory has no name in any file system (memfd_create(2)), cannot be changed once the clip is in it, and goes with the
last process that has it open: a client that is killed leaves nothing behind. The request names this process and
its descriptor, by which the server finds the memory below /proc; the kernel lets it, where it is the same user's. A key
that nobody else knows stands before the clip, so that no other caller can name it.
"""

from __future__ import annotations

import os
import re
import secrets
import weakref
from collections.abc import Iterable
from dataclasses import dataclass

KEY_BYTES = 32
"""What stands before the clip: the key, in hexadecimal."""
LEAST_BYTES = 1 << 20
"""A smaller clip is as quick when it is sent."""

_FORM = re.compile(r"([1-9][0-9]{0,9})/([0-9]{1,9})/([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True)
class Reference:
    """Where a clip lies: a process, a descriptor that it has open, and the key before the clip."""

    process: int
    descriptor: int
    key: str

    def __str__(self) -> str:
        return f"{self.process}/{self.descriptor}/{self.key}"

    @classmethod
    def parsed(cls, text: str) -> Reference | None:
        """Return what `str` has written; None for anything else."""
        found = _FORM.fullmatch(text)
        return cls(int(found[1]), int(found[2]), found[3]) if found else None


class SharedClip:
    """A clip in memory of this process, until it is closed or forgotten; its length is that of the clip."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        from fcntl import F_ADD_SEALS, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_WRITE, fcntl  # not on Windows

        self._descriptor = os.memfd_create("triptych-clip", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self.close = weakref.finalize(self, os.close, self._descriptor)
        self.reference = Reference(os.getpid(), self._descriptor, secrets.token_hex(KEY_BYTES // 2))
        _write(self._descriptor, self.reference.key.encode())
        self._size = sum(_write(self._descriptor, piece) for piece in pieces)
        fcntl(self._descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

    def __len__(self) -> int:
        return self._size

    def read(self) -> bytes:
        """Return the clip."""
        return os.pread(self._descriptor, self._size, KEY_BYTES)


def _write(descriptor: int, piece: bytes) -> int:
    """Write all of a piece; return how many bytes it has."""
    left = memoryview(piece)
    while left:
        left = left[os.write(descriptor, left) :]
    return len(piece)


def is_possible() -> bool:
    """Tell whether this system has such memory: Linux."""
    return hasattr(os, "memfd_create")
