"""Other models in the slots of a copied repository; the session's own stays as it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from export import runner
from triptych.server import CACHE, ROOT


@contextmanager
def swapped(repository: Path, choices: Mapping[str, str]) -> Iterator[Path]:
    """Copy the repository and export `choices` (slot -> entry) into the copy, which is gone at the end."""
    (ROOT / "build" / "tests").mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="swapped-", dir=ROOT / "build" / "tests") as name:
        folder = Path(name) / "model_repository"
        shutil.copytree(repository, folder, copy_function=_link_or_copy)
        runner.export(folder, CACHE, choices, report=lambda name, what: None)
        yield folder


def _link_or_copy(source: str, target: str) -> None:
    """Large files are only read: a second name will do."""
    if os.path.getsize(source) > 1 << 20:
        os.link(source, target)
    else:
        shutil.copy2(source, target)
