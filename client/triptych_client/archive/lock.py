"""One run at a time writes into a folder."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from triptych_client.errors import FolderInUse


@contextmanager
def held(folder: Path, of: Path) -> Iterator[None]:
    """Hold the lock of a run in `folder`, which is made; FolderInUse, at once, when another run does.

    The system lets go of it with the process, so that a run that was killed keeps nobody out. `of` is the folder that
    people know.
    """
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / "owner.json"
    try:
        with FileLock(folder / "lock", timeout=0):
            owner.write_text(json.dumps(_me()), encoding="utf-8")
            try:
                yield
            finally:
                owner.unlink(missing_ok=True)
    except Timeout:
        raise FolderInUse(
            f"another run writes there ({_who(owner)}); wait until it ends, or choose another --out folder", str(of)
        ) from None


def _me() -> dict[str, object]:
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
    return {"process": os.getpid(), "host": socket.gethostname(), "since": since}


def _who(owner: Path) -> str:
    """Return who holds the lock, as far as that can be read: it may be written just now."""
    try:
        told = json.loads(owner.read_text(encoding="utf-8"))
        return f"process {told['process']} on {told['host']} since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has just begun"
