"""Which packages a folder of wheels lacks for another host: the requirements followed with *that* host's markers.

pip resolves for another Python by tags (`pip download --python-version`), but evaluates `; python_version < "3.11"` for
the Python that it runs on. So what it fetched is gone through here, and what is missing is fetched after it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import default_environment
from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from triptych.errors import TriptychError

CUDA_IN_PLACE_OF = {"onnxruntime": "onnxruntime-gpu"}
"""Builds for CUDA that hold the same module: of the two one is installed."""
CUDA_EXTRAS = "cuda,cudnn"
"""Extras of ONNX Runtime's build for CUDA: NVIDIA's libraries as wheels, so that the host needs a driver only."""
GLIBC = (2, 35)
"""That of the embedded Triton's wheel, the newest that any of the wheels asks for."""


@dataclass(frozen=True)
class Target:
    """The host that a bundle is for: x86-64 Linux with this Python ("3.12"); `cuda`: with ONNX Runtime for CUDA."""

    python: str
    cuda: bool = False

    @property
    def platforms(self) -> list[str]:
        """The platform tags that fit there, newest first; pip takes each word literally."""
        newest = [f"manylinux_{GLIBC[0]}_{minor}_x86_64" for minor in range(GLIBC[1], 4, -1)]
        return [*newest, "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"]

    def environment(self) -> dict[str, str]:
        """Return what markers are evaluated with."""
        return {
            **{key: str(value) for key, value in default_environment().items()},
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "python_version": self.python,
            "python_full_version": f"{self.python}.0",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "sys_platform": "linux",
            "platform_system": "Linux",
            "platform_machine": "x86_64",
        }

    def stand_in(self, requirement: Requirement) -> Requirement:
        """Return what is installed for a requirement: for CUDA another build of the same release."""
        other = CUDA_IN_PLACE_OF.get(requirement.name) if self.cuda else None
        return Requirement(f"{other}[{CUDA_EXTRAS}]{requirement.specifier}") if other else requirement


@dataclass(frozen=True)
class Wheel:
    """A wheel file: what its metadata says."""

    path: Path
    name: str
    version: Version
    requires: tuple[Requirement, ...]
    requires_python: SpecifierSet

    @classmethod
    def read(cls, path: Path) -> Wheel:
        """Read a wheel's metadata; TriptychError when it is no wheel."""
        try:
            name, version, _, _ = parse_wheel_filename(path.name)
            with zipfile.ZipFile(path) as archive:
                inside = next(entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA"))
                told, _ = parse_email(archive.read(inside))
        except (ValueError, OSError, StopIteration, zipfile.BadZipFile) as error:
            raise TriptychError(f"{path} is not a wheel that can be read: {error}") from error
        requires = tuple(map(Requirement, told.get("requires_dist", ())))
        return cls(path, name, version, requires, SpecifierSet(told.get("requires_python", "")))

    def needs(self, extra: str, environment: Mapping[str, str]) -> list[Requirement]:
        """Return what this package, or one extra of it, needs in an environment."""
        asked = {**environment, "extra": extra}
        return [need for need in self.requires if need.marker is None or need.marker.evaluate(asked)]


def read_all(folder: Path) -> dict[str, Wheel]:
    """Read the wheels of a folder by name; TriptychError when two are of one package."""
    wheels: dict[str, Wheel] = {}
    for path in sorted(folder.glob("*.whl")):
        wheel = Wheel.read(path)
        if wheel.name in wheels:
            raise TriptychError(f"{path.name} and {wheels[wheel.name].path.name} are of one package: remove one")
        wheels[wheel.name] = wheel
    return wheels


def unmet(wheels: Mapping[str, Wheel], roots: Iterable[Requirement], target: Target) -> list[Requirement]:
    """Return the requirements, those of requirements among them, that none of the wheels meets; without markers."""
    environment, todo, seen = target.environment(), list(roots), set()
    missing: dict[str, Requirement] = {}
    while todo:
        need = target.stand_in(todo.pop())
        wheel = wheels.get(canonicalize_name(need.name))
        if wheel is None or not need.specifier.contains(wheel.version, prereleases=True):
            missing[need.name] = _without_marker(need)
            continue
        for extra in {"", *need.extras} - {extra for name, extra in seen if name == wheel.name}:
            seen.add((wheel.name, extra))
            todo += wheel.needs(extra, environment)
    return [missing[name] for name in sorted(missing)]


def _without_marker(need: Requirement) -> Requirement:
    extras = f"[{','.join(sorted(need.extras))}]" if need.extras else ""
    return Requirement(f"{need.name}{extras}{need.specifier}")
