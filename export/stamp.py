"""What is noted beside each export: which entry it is, what decided on it, which checkpoints were read, its files.

An export is stale when something that it was made from has changed: the sources of weights, the tensors of its step,
the code of its network, or a constant of ours that this code takes. They are looked up without importing PyTorch, which
a serving host does not have: the standard library follows the imports in the network's source.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

from export.catalog import Entry, resolve
from triptych.errors import TriptychError
from triptych.files import write_text
from triptych.paths import ROOT
from triptych.serving.checksums import sha256
from triptych_client.contract import STEPS, Tensor

SOURCES = {"model.py", "dali.py", ".gitkeep"}
"""Files of a version folder that are ours and not exported."""
STAMP = "export.json"
EXPORTER = 1
"""Version of what stands between a network and its files, the code of this package: raise it when the same network
gives other files than before."""
NETWORKS = "networks"
CORE = ("triptych", "triptych_client")
"""Packages whose constants networks take. Their code is none of a network's."""


@dataclass(frozen=True)
class Origin:
    """Where a published entry's checkpoint was taken from, the sha256 of its files, and what it says of itself.

    `languages`: those that it is for, as ISO 639-1 codes; none: it does not say, or any.
    """

    source: str
    sha256: str
    licence: str
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stamp:
    """What is noted of an export beside it.

    `catalog`: the file that has the entry, when it is not ours; `files`: name -> sha256 of each file that was written.
    """

    entry: str = ""
    fingerprint: str = ""
    origins: dict[str, Origin] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    catalog: str = ""

    @classmethod
    def read(cls, target: Path) -> Stamp:
        """Read the stamp of a version folder; an empty one when nothing was exported, or not to the end."""
        try:
            stamp = json.loads((target / STAMP).read_text(encoding="utf-8"))
            origins = {
                name: Origin(**origin | {"languages": tuple(origin.get("languages", ()))})
                for name, origin in stamp.pop("origins", {}).items()
            }
            return cls(origins=origins, **stamp)
        except (OSError, ValueError, TypeError, AttributeError):
            return cls()

    def write(self, target: Path) -> None:
        """Write the stamp into a version folder."""
        write_json(target / STAMP, asdict(self))

    def damaged(self, target: Path) -> dict[str, str]:
        """Return what is wrong, by name, with the files that are gone from the version folder or not as written."""
        faults = {name: _fault(target / name, digest) for name, digest in self.files.items()}
        return {name: fault for name, fault in faults.items() if fault}


@dataclass(frozen=True)
class Code:
    """What a network is written in: source files by module, and the constants of ours that they take, `module:NAME`."""

    files: dict[str, Path] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)


def fingerprint(read: list[Entry], sources: Mapping[str, str]) -> str:
    """Return a digest of all that decides on an export.

    `read`: the entry, and those that it needs; `sources`: the checkpoint of each that takes one. What an entry says of
    itself, its title and its terms, decides on nothing. TriptychError when a file of the network is missing.
    """
    entry = read[0]
    code = code_of(entry)
    parts: dict[str, Any] = {
        "exporter": EXPORTER,
        "sources": [_source(item) for item in read],
        "checkpoints": sources,
        "step": [_tensors(STEPS[entry.step].inputs), _tensors(STEPS[entry.step].outputs)],
        "network": entry.network,
        "vacant": entry.vacant,
        "settings": settings_of(entry),
        "code": {name: sha256(path) for name, path in code.files.items()},
        "constants": {name: repr(resolve(name)) for name in code.constants},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def settings_of(entry: Entry) -> dict[str, str | int]:
    """Return the entry's settings, constants of ours in place of their names."""
    return {
        key: resolve(value) if isinstance(value, str) and ":" in value else value
        for key, value in entry.settings.items()
    }


def code_of(entry: Entry) -> Code:
    """Return what the entry's network is written in: its module and those that it imports, as far as they are networks.

    Modules beside a catalogue of one's own are networks too. TriptychError when the network's is not there.
    """
    if not entry.network:
        return Code()
    module = entry.network.partition(":")[0]
    finder = _Imports(entry)
    try:
        finder.import_hook(module)
    except (ImportError, SyntaxError) as error:
        raise TriptychError(f"{entry.name} in {entry.catalog}: cannot read its network {module}: {error}") from error
    paths = {name: vars(found)["__file__"] for name, found in finder.modules.items()}
    return Code({name: Path(path) for name, path in paths.items() if path}, finder.constants)


def write_json(path: Path, value: object) -> None:
    """Write a value as indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


class _Imports(ModuleFinder):
    """Follows imports from network to network, and notes the constants that come from the core."""

    def __init__(self, entry: Entry) -> None:
        folder = entry.catalog.parent
        super().__init__([str(ROOT), *([str(folder)] if entry.own else []), *sys.path])
        self.constants: set[str] = set()
        self.followed = {NETWORKS, entry.network.partition(":")[0].partition(".")[0]}
        if entry.own:
            self.followed |= {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}

    def import_hook(self, name: str, caller: Any = None, fromlist: Any = None, level: int = -1) -> Any:
        """Look up one import, as the standard library's finder does; what is not a network is not followed."""
        package = name.partition(".")[0]
        if package in CORE and level <= 0:
            self.constants |= {f"{name}:{item}" for item in fromlist or () if item.isupper()}
        elif level > 0 or package in self.followed:
            return super().import_hook(name, caller, fromlist, level)
        return None


def _source(entry: Entry) -> list[Any]:
    """Return what tells an entry's files from others."""
    weights = entry.weights and [entry.weights.file, entry.weights.sha256]
    return [entry.name, [asdict(wheel) for wheel in entry.wheel], entry.join, weights]


def _tensors(tensors: Iterable[Tensor]) -> list[Any]:
    return [[tensor.name, tensor.dtype, tensor.dims] for tensor in tensors]


def _fault(path: Path, digest: str) -> str:
    if not path.is_file():
        return "is missing"
    return "" if sha256(path) == digest else "is not what was exported"
