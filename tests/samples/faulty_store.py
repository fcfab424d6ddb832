"""A store in memory that fails as it is told to: errors are raised one after the other, then it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

PROTOCOL = "faulty"


class FaultyStore(MemoryFileSystem):
    """`faults` are the errors of the next operations; `writes` the names that were written, in order."""

    protocol = PROTOCOL
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    faults: ClassVar[list[Exception]] = []
    writes: ClassVar[list[str]] = []

    def _fail(self) -> None:
        if FaultyStore.faults:
            raise FaultyStore.faults.pop(0)

    def cat_file(self, path: str, *args: Any, **options: Any) -> bytes:
        self._fail()
        return super().cat_file(path, *args, **options)

    def get_file(self, *args: Any, **options: Any) -> None:
        self._fail()
        super().get_file(*args, **options)

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        self._fail()
        super().pipe_file(path, value, **options)
        FaultyStore.writes.append(path)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace(f"{PROTOCOL}://", "memory://"))


@contextmanager
def faulty_store() -> Iterator[type[FaultyStore]]:
    """Make the store known to fsspec, empty, as `faulty://`."""
    FaultyStore.store, FaultyStore.pseudo_dirs = {}, [""]
    FaultyStore.faults, FaultyStore.writes = [], []
    fsspec.register_implementation(PROTOCOL, FaultyStore, clobber=True)
    try:
        yield FaultyStore
    finally:
        FaultyStore.clear_instance_cache()
