"""Model repositories for tests, beside the one that is served: made without exporting anew what is exported there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from export import catalog
from export.stamp import SOURCES, STAMP, Stamp
from triptych.files import link_or_copy
from triptych.paths import CACHE
from triptych.serving import sources


def take_exports(source: Path, target: Path, entries: Mapping[str, str]) -> None:
    """Take over what `source` holds of `entries` (step -> entry) where it was exported later than what `target` holds.

    Whether it is up to date is not asked: an export into `target` afterwards sees to that.
    """
    for step, entry in entries.items():
        here, there = target / step / "1", source / step / "1"
        if Stamp.read(there).entry == entry and _exported_at(there) > _exported_at(here):
            _empty(here)
            for path in sorted(_exports(there), key=lambda path: path.name == STAMP):
                link_or_copy(path, here / path.name)


@contextmanager
def home_with(repository: Path, parent: Path) -> Iterator[Path]:
    """Give a folder below `parent` to set TRIPTYCH_HOME to: every default model of `repository` is exported there."""
    with TemporaryDirectory(prefix="home-", dir=parent) as name:
        home = Path(name)
        sources.lay_out(home / "model_repository")
        take_exports(
            repository, home / "model_repository", {step: one.name for step, one in catalog.choose({}).items()}
        )
        (home / "build").mkdir()
        (home / "build" / "cache").symlink_to(CACHE, target_is_directory=True)
        yield home


def _exported_at(folder: Path) -> float:
    stamp = folder / STAMP
    return stamp.stat().st_mtime if stamp.is_file() else 0.0


def _empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in _exports(folder):
        path.unlink()


def _exports(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file() and path.name not in SOURCES]
