"""Puts a bundle together: wheels, models, a clip to try and the checks in one archive; `install.py` beside it."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from export import manifest
from export.bundle import archive, install
from export.bundle.archive import Member, Packed
from export.bundle.requirements import GLIBC, Target
from export.bundle.wheels import Report, collect
from export.stamp import write_json
from triptych import __version__, generations
from triptych.errors import TriptychError
from triptych.files import write_text, writing
from triptych.paths import ROOT

CHECKS = ROOT / "benchmarks"
"""The code of `benchmarks.gpu_check`, which is in no wheel."""
SUMS = "SHA256SUMS"
"""Every file of the bundle, as sha256sum(1) lists them: what is signed, or told over another way."""


def pack(out: Path, repository: Path, clip: Path, target: Target, part_bytes: int, report: Report) -> list[str]:
    """Write a bundle into the folder `out`, which is not there yet or empty; return its files' names.

    `part_bytes`: the most that a part of the archive has, 0 for one part. Nothing is left in `out` when it fails:
    TriptychError when the repository cannot be served, a package cannot be had, or the disk is full.
    """
    if out.is_dir() and any(out.iterdir()):
        raise TriptychError(f"{out} is not empty: name a new folder by --out, so that no part of another bundle stays")
    manifest.check(repository)
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".bundle-", dir=out.parent) as staging:
            wheels, ready = Path(staging, "wheels"), Path(staging, "bundle")
            for folder in (wheels, ready):
                folder.mkdir()
            collect(wheels, target, report)
            report("packing")
            members = [*_wheels(wheels), *repository_files(repository), Member(install.CLIP, clip), *_checks()]
            packed = archive.write(members, ready, part_bytes)
            describe(ready, target, packed, _needed_bytes(members))
            ready.rename(out)
    return sorted(path.name for path in out.iterdir())


def repository_files(repository: Path) -> Iterator[Member]:
    """Yield the files and links of a model repository as members: of the manifest the present set alone."""
    present = generations.current(repository / manifest.STEP / "1").name
    for parent, folders, names in os.walk(repository):
        linked = [name for name in folders if Path(parent, name).is_symlink()]
        folders[:] = sorted(name for name in folders if name == present or not _is_left_over(name))
        for name in sorted([*names, *linked]):
            path = Path(parent, name)
            yield Member(f"{install.REPOSITORY}/{path.relative_to(repository).as_posix()}", path)


def _is_left_over(folder: str) -> bool:
    return folder == "__pycache__" or folder.startswith((generations.PREFIX, generations.PARTIAL))


def _wheels(folder: Path) -> list[Member]:
    return [Member(f"{install.WHEELS}/{path.name}", path) for path in sorted(folder.glob("*.whl"))]


def _checks() -> list[Member]:
    """Return the checks that run from a bundle, as Python files."""
    files = sorted(CHECKS.rglob("*.py"))
    return [Member(f"{install.CHECKS}/{path.relative_to(CHECKS.parent).as_posix()}", path) for path in files]


def _needed_bytes(members: Iterable[Member]) -> int:
    """Return what a host needs while it installs: all files, and the wheels unpacked beside them."""
    files = [member.source for member in members if not member.source.is_symlink()]
    wheels = [path for path in files if path.suffix == ".whl"]
    unpacked = (entry.file_size for path in wheels for entry in zipfile.ZipFile(path).infolist())
    return sum(path.stat().st_size for path in files) + sum(unpacked)


def describe(folder: Path, target: Target, packed: Packed, needed_bytes: int) -> None:
    """Write what is beside the parts: the manifest, the installer, and the list of sums."""
    described: dict[str, Any] = {
        "format": install.FORMAT,
        "triptych": __version__,
        "python": target.python,
        "cuda": target.cuda,
        "glibc": list(GLIBC),
        "needed_bytes": needed_bytes,
        "parts": [asdict(part) for part in packed.parts],
        "files": packed.files,
    }
    write_json(folder / install.MANIFEST, described)
    shutil.copyfile(install.__file__, folder / "install.py")
    listed = [folder / install.MANIFEST, folder / "install.py"]
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in listed}
    sums |= {part.name: part.sha256 for part in packed.parts}
    write_text(folder / SUMS, "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))
