"""What tells the files of one data folder from those of another, wherever they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from triptych.serving.checksums import sha256


def digest(folder: Path, files: Iterable[Path]) -> str:
    """Return the sha256 of the names below `folder`, and the contents, of those files that are there."""
    lines = (f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in sorted(files) if path.is_file())
    return hashlib.sha256("".join(lines).encode()).hexdigest()
