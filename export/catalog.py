"""The catalogue of models: `catalog.toml` as typed entries."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from triptych.errors import TriptychError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Exporter(Protocol):
    """Writes a servable model. `sources`: entry name -> folder of its verified files; `target`: <step>/1."""

    def __call__(self, sources: Mapping[str, Path], target: Path) -> None:
        """Write every file of the model into `target`, which exists and is empty but for sources of ours."""
        ...


@dataclass(frozen=True)
class Wheel:
    """Files inside one pinned package of the package index; `sha256` is that of the wheel file."""

    package: str
    sha256: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Weights:
    """A file of this project's own trained weights, below `weights/`."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Entry:
    """One model, or one file of media, of the catalogue."""

    name: str
    title: str
    licence: str
    step: str = ""
    role: str = ""
    exporter: str = ""
    default: bool = False
    vacant: bool = False
    hub: str = ""
    needs: tuple[str, ...] = ()
    wheel: tuple[Wheel, ...] = ()
    weights: Weights | None = None
    join: dict[str, list[str]] = field(default_factory=dict)

    def load_exporter(self) -> Exporter:
        """Import and return the entry's exporter; TriptychError when a package that it needs is not installed."""
        module, _, function = self.exporter.partition(":")
        try:
            return getattr(import_module(module), function)
        except ModuleNotFoundError as error:
            raise TriptychError(
                f"to export {self.name}, {error.name} is missing: pip install -e '.[export]'"
            ) from error


@cache
def load() -> dict[str, Entry]:
    """Return the catalogue by name."""
    with (Path(__file__).parent / "catalog.toml").open("rb") as file:
        return {name: _entry(name, table) for name, table in tomllib.load(file).items()}


def choose(choices: Mapping[str, str]) -> dict[str, Entry]:
    """Return the entry for each step: the default, or the one named in `choices` (step -> entry name).

    TriptychError when a step or an entry does not exist, or they do not go together.
    """
    chosen = {entry.step: entry for entry in load().values() if entry.default}
    for step, name in choices.items():
        fitting = [entry.name for entry in load().values() if entry.step == step]
        if name not in fitting:
            what = f"step {step} can be one of {', '.join(fitting)}" if fitting else f"there is no step {step}"
            raise TriptychError(f"cannot set {step}={name}: {what}")
        chosen[step] = load()[name]
    return chosen


def _entry(name: str, table: dict[str, Any]) -> Entry:
    wheels = tuple(Wheel(w["package"], w["sha256"], tuple(w["members"])) for w in table.pop("wheel", ()))
    weights = Weights(**table.pop("weights")) if "weights" in table else None
    return Entry(name=name, wheel=wheels, weights=weights, needs=tuple(table.pop("needs", ())), **table)
