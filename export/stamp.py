"""What is noted beside each export: which entry it is, what decided on it, which checkpoints were read."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from export.catalog import Entry
from triptych.paths import ROOT
from triptych_client.contract import STEPS

SOURCES = {"model.py", "dali.py", ".gitkeep"}
"""Files of a version folder that are ours and not exported."""
STAMP = "export.json"
OUR_CODE = {"export", "training"}
"""Packages whose code decides on what is exported."""


@dataclass(frozen=True)
class Origin:
    """Where a published entry's checkpoint was taken from, the sha256 of its files, and its licence."""

    source: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Stamp:
    """What is noted of an export beside it: the entry, what decided on it, the checkpoints that were read, its files.

    `files`: the sha256 of each by its name.
    """

    entry: str = ""
    fingerprint: str = ""
    origins: dict[str, Origin] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, target: Path) -> Stamp:
        """Read the stamp of a version folder; an empty one when nothing was exported, or not to the end."""
        try:
            stamp = json.loads((target / STAMP).read_text())
            origins = {name: Origin(**origin) for name, origin in stamp.get("origins", {}).items()}
            return cls(stamp["entry"], stamp["fingerprint"], origins, stamp.get("files", {}))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def write(self, target: Path) -> None:
        """Write the stamp into a version folder."""
        write_json(target / STAMP, asdict(self))


def fingerprint(read: list[Entry], sources: Mapping[str, str]) -> str:
    """Return a digest of all that decides on an export: sources, the code that reads them, its contract.

    `read`: the entry, and those that it needs; `sources`: the checkpoint of each that takes one.
    """
    digest = hashlib.sha256(json.dumps([[asdict(entry) for entry in read], sources], sort_keys=True).encode())
    digest.update(repr(STEPS[read[0].step]).encode())
    for path in sorted(_code(read[0].exporter.partition(":")[0])):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write_json(path: Path, value: object) -> None:
    """Write a value as indented JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _code(exporter: str) -> set[Path]:
    """Return the files of the exporter's module and of the modules of ours that it imports, however deep.

    They are read, not imported: importing PyTorch to find that nothing is to be done would take seconds.
    """
    found: set[Path] = set()
    waiting = [exporter]
    while waiting:
        path = ROOT.joinpath(*waiting.pop().split(".")).with_suffix(".py")
        if path.is_file() and path not in found:
            found.add(path)
            waiting += _imports(ast.parse(path.read_text(encoding="utf-8")))
    return found


def _imports(tree: ast.AST) -> list[str]:
    """Return the names that a module imports from our packages; some may be functions."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.partition(".")[0] in OUR_CODE]
