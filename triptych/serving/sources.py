"""The sources of the model repository (configs, adapters, pipelines), which an export of models is added to.

In a checkout they lie where they are served. Any other repository, such as that of an installed wheel, gets copies.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from triptych.paths import SOURCES

REPOSITORY = SOURCES / "model_repository"
PATTERNS = ("*/config.pbtxt", "*/configs/*.pbtxt", "*/1/*.py", "*/1/.gitkeep")
"""An ensemble has an empty version folder, which Triton insists on: its .gitkeep comes along."""


def lay_out(repository: Path) -> None:
    """Make the sources in `repository` those of this version; what was exported into it stays."""
    if repository.resolve() == REPOSITORY:
        return
    for stale in set(_find(repository)) - set(_find(REPOSITORY)):
        if (REPOSITORY / stale.parts[0]).is_dir():
            (repository / stale).unlink()
    for path in _find(REPOSITORY):
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        copy_whole(REPOSITORY / path, repository / path)


def faults(repository: Path) -> list[str]:
    """Name each source that is not there, or is not of this version."""
    if repository.resolve() == REPOSITORY:
        return []
    return [f"{path} is missing, or of another version" for path in _find(REPOSITORY) if _differ(path, repository)]


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all: someone may be reading the target. An equal one is left alone."""
    if target.is_file() and filecmp.cmp(source, target, shallow=False):
        return
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as partial:
        try:
            shutil.copy2(source, partial.name)
            os.replace(partial.name, target)
        except BaseException:
            Path(partial.name).unlink(missing_ok=True)
            raise


def _find(folder: Path) -> Iterator[Path]:
    """Yield the sources below a repository, as relative paths."""
    return (path.relative_to(folder) for pattern in PATTERNS for path in sorted(folder.glob(pattern)))


def _differ(path: Path, repository: Path) -> bool:
    return not (repository / path).is_file() or not filecmp.cmp(REPOSITORY / path, repository / path, shallow=False)
