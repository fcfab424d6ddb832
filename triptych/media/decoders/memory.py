"""Memory that a step and its decoder share: without a name in any file system, and sealed.

The seals forbid either side to make it smaller: so no access to it can fail (SIGBUS), whatever the other side does. It
takes pages as they are written, whatever its size (memfd_create(2)).
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from triptych.media.container import Data, view

_FIXED = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_READ_ONLY = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


@contextmanager
def copied(data: Data) -> Iterator[int]:
    """Give memory that holds a copy of `data`, for good: its descriptor, which is closed at the end."""
    descriptor = _memory("clip")
    try:
        left = view(data)
        while len(left):
            left = left[os.write(descriptor, left) :]
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _READ_ONLY)
        yield descriptor
    finally:
        os.close(descriptor)


def blank(size: int) -> int:
    """Return memory of zeros, so many bytes, to be written by either side: its descriptor, to be closed."""
    descriptor = _memory("results")
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _FIXED)
    return descriptor


def read(descriptor: int, size: int) -> np.ndarray:
    """Return the first bytes of such memory, UINT8 [size], without a copy; not to be written."""
    return _mapped(descriptor, size, mmap.MAP_PRIVATE, mmap.PROT_READ)


def write(descriptor: int, size: int) -> np.ndarray:
    """Return the first bytes of such memory, UINT8 [size], to be written."""
    return _mapped(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)


def _memory(name: str) -> int:
    return os.memfd_create(f"triptych-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def _mapped(descriptor: int, size: int, flags: int, protection: int) -> np.ndarray:
    if size == 0:  # nothing cannot be mapped
        return np.zeros(0, np.uint8)
    return np.frombuffer(mmap.mmap(descriptor, size, flags=flags, prot=protection), np.uint8)
