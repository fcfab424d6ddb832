"""One tar archive in parts of a bounded size, and what is in it: sha256 and length of each part and of each file.

The archive is not compressed: wheels are, and weights hardly become smaller.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

STEM = "triptych.tar"
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Part:
    """A part of the archive, by its file's name beside the manifest."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Member:
    """A file to be packed: its path in the archive, and where it is now. A link stays one."""

    path: str
    source: Path


@dataclass
class Packed:
    """What was written. `files`: by path in the archive, `{"bytes", "sha256"}`, or of a link `{"link"}`."""

    parts: list[Part] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)


class Cut(io.RawIOBase):
    """A file that is written on and on, cut into parts of at most so many bytes (0: one part)."""

    def __init__(self, folder: Path, part_bytes: int) -> None:
        super().__init__()
        self.parts: list[Part] = []
        self._folder, self._part_bytes = folder, part_bytes
        self._file: IO[bytes] | None = None
        self._digest, self._written = hashlib.sha256(), 0

    def write(self, data: Buffer) -> int:
        """Write all of the data, into as many parts as that takes."""
        rest = whole = memoryview(data)
        while rest:
            if self._file is None or (self._part_bytes and self._written == self._part_bytes):
                self._next()
            room = self._part_bytes - self._written if self._part_bytes else len(rest)
            self._put(rest[:room])
            rest = rest[room:]
        return len(whole)

    def close(self) -> None:
        """End the last part."""
        self._end()
        super().close()

    def _put(self, data: memoryview) -> None:
        assert self._file
        self._file.write(data)
        self._digest.update(data)
        self._written += len(data)

    def _next(self) -> None:
        self._end()
        self._file = (self._folder / f"{STEM}.{len(self.parts) + 1:03}").open("wb")
        self._digest, self._written = hashlib.sha256(), 0

    def _end(self) -> None:
        if self._file:
            self._file.close()
            self.parts.append(Part(Path(self._file.name).name, self._written, self._digest.hexdigest()))
            self._file = None


class _Hashed(io.FileIO):
    """A file that notes the sha256 of what is read of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.digest = hashlib.sha256()

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size) or b""
        self.digest.update(data)
        return data


def write(members: Iterable[Member], folder: Path, part_bytes: int = 0) -> Packed:
    """Write the members into an archive in `folder`, in parts of `part_bytes` (0: one). The same files, the same bytes.

    OSError when a file cannot be read or written.
    """
    packed = Packed()
    with (
        Cut(folder, part_bytes) as cut,
        tarfile.open(fileobj=cut, mode="w|", format=tarfile.PAX_FORMAT, bufsize=BLOCK_BYTES) as archive,
    ):
        for member in members:
            packed.files[member.path] = _add(archive, member)
    packed.parts = cut.parts
    return packed


def _add(archive: tarfile.TarFile, member: Member) -> dict[str, Any]:
    """Add a file; owner, time and mode are the same whoever packs, but for the right to run it."""
    info = tarfile.TarInfo(member.path)
    if member.source.is_symlink():
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(member.source)
        archive.addfile(info)
        return {"link": info.linkname}
    status = member.source.stat()
    info.size, info.mode = status.st_size, 0o755 if status.st_mode & 0o100 else 0o644
    with _Hashed(member.source) as file:
        archive.addfile(info, file)
    return {"bytes": info.size, "sha256": file.digest.hexdigest()}
