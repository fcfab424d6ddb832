"""The wheels of a bundle: ours, built from this checkout, and by pip all that they need on the host it is for."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from export.bundle.requirements import GLIBC, Target, read_all, unmet
from triptych.errors import TriptychError
from triptych.paths import ROOT, SOURCES

ROOTS = ("triptych[check]", "pip>=24")
"""What is installed there; pip, since a bare Python may have none."""
STUBS = "pytriton/tritonserver/python_backend_stubs/"
"""Where the embedded Triton's wheel has a folder for each version of Python that it can run steps with."""
MOST_ROUNDS = 10
"""Each round fetches what the one before turned out to need; a chain of markers is a few links long."""

Report = Callable[[str], None]


def collect(folder: Path, target: Target, report: Report) -> None:
    """Fill a folder with the wheels that a host needs; TriptychError when there is none for it, or pip fails."""
    report("building Triptych's wheels")
    build(folder)
    _check_python(folder, target)
    roots = [Requirement(root) for root in ROOTS]
    for number in range(MOST_ROUNDS):
        missing = unmet(read_all(folder), roots, target)
        if not missing:
            return check(folder, target)
        report(f"fetching {len(missing)} packages and what they need" if not number else f"fetching {missing[0]}")
        # pip settles all versions together in the first round; what it left out for a marker comes alone.
        download(missing, folder, target, alone=number > 0)
    raise TriptychError(f"after {MOST_ROUNDS} rounds of pip these are still missing: {', '.join(map(str, missing))}")


def build(folder: Path) -> None:
    """Build the wheels of the server and of its client from this checkout; TriptychError when this is none."""
    if SOURCES is not ROOT:
        raise TriptychError(
            "a bundle is made in a checkout of Triptych, since it brings Triptych's own wheels: run it there"
        )
    here = ["--no-build-isolation"] if find_spec("hatchling") else []
    _pip("wheel", "--no-deps", *here, "--wheel-dir", str(folder), str(ROOT / "client"), str(ROOT))


def download(requirements: Sequence[Requirement], folder: Path, target: Target, alone: bool) -> None:
    """Fetch wheels by pip, `alone` without what they need."""
    platforms = [f"--platform={tag}" for tag in target.platforms]
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={target.python}", *platforms]
    _pip("download", *options, *(["--no-deps"] if alone else []), f"--dest={folder}", *map(str, requirements))


def check(folder: Path, target: Target) -> None:
    """Raise TriptychError when the wheels, though complete, would not serve there.

    That is when the embedded Triton cannot run steps with the target's Python, or CUDA lacks its libraries.
    """
    if target.cuda and not any(folder.glob("nvidia_cudnn*.whl")):
        raise TriptychError(
            "onnxruntime-gpu of this release brings no CUDA libraries by its extras cuda and cudnn: pin another one in "
            "pyproject.toml"
        )
    with zipfile.ZipFile(next(folder.glob("nvidia_pytriton-*.whl"))) as archive:
        stubs = {name.removeprefix(STUBS).partition("/")[0] for name in archive.namelist() if name.startswith(STUBS)}
    if target.python not in stubs:
        known = ", ".join(sorted(stubs - {""}, key=lambda text: tuple(map(int, text.split(".")))))
        raise TriptychError(f"the embedded Triton has no stub for Python {target.python}; it has those for {known}")


def _check_python(folder: Path, target: Target) -> None:
    """Raise TriptychError when Triptych does not run on the target's Python, before anything is fetched."""
    allowed = read_all(folder)["triptych"].requires_python
    if not allowed.contains(f"{target.python}.0"):
        raise TriptychError(f"Triptych runs on Python {allowed}, not on {target.python}: choose another --python")


def _pip(command: str, *arguments: str) -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise TriptychError(f"cannot run pip: {error}") from error
    if done.returncode:
        words = done.stderr.strip()[-1500:]
        raise TriptychError(
            f"`pip {command}` failed. A bundle has wheels only, for glibc {GLIBC[0]}.{GLIBC[1]} or older:\n{words}"
        )
