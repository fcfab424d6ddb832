"""Exports a chosen set of catalogue entries into the model repository, and writes down what it then holds."""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from export.catalog import Entry, choose, load
from export.fetch import fetch, sha256
from triptych.server import ROOT
from triptych_client.contract import STEPS

SOURCES = {"model.py", "dali.py", ".gitkeep"}
"""Files of a version folder that are ours and not exported."""
STAMP = "export.json"
OUR_CODE = {"export", "training"}
"""Packages whose code decides on what is exported."""
MANIFEST_STEP = "fusion"
"""The step that reports the manifest, and whose version folder holds it: a step sees its own folder only."""

Report = Callable[[str, str], None]
"""Called with an entry's name and what is done with it: "download", "export" or "ready"."""


@dataclass(frozen=True)
class Served:
    """One line of the manifest: what a step of the repository holds."""

    step: str
    role: str
    name: str
    title: str
    sha256: str
    licence: str
    vacant: bool


def export(repository: Path, cache: Path, choices: Mapping[str, str], report: Report, force: bool = False) -> None:
    """Export an entry for every step into `repository`: the chosen, else the one exported before, else the default.

    What is up to date stays. `cache` keeps downloaded weights. TriptychError for an unknown choice or a file that is
    not the catalogue's.
    """
    served = []
    for entry in choose({**exported(repository), **choices}).values():
        target = repository / entry.step / "1"
        fingerprint = _fingerprint(entry)
        if force or _stamp(target).get("fingerprint") != fingerprint:
            _export(entry, target, cache, report)
            _write_json(target / STAMP, {"entry": entry.name, "fingerprint": fingerprint})
        report(entry.name, "ready")
        served.append(
            Served(entry.step, entry.role, entry.name, entry.title, _digest(target), entry.licence, entry.vacant)
        )
    _write_manifest(repository, served)


def exported(repository: Path) -> dict[str, str]:
    """Return which entry each step of the repository holds, as far as the catalogue still has it for that step."""
    stamps = {path.parent.parent.name: _stamp(path.parent).get("entry", "") for path in repository.glob(f"*/1/{STAMP}")}
    return {step: name for step, name in stamps.items() if name in load() and load()[name].step == step}


def _export(entry: Entry, target: Path, cache: Path, report: Report) -> None:
    _clear(target)
    needed = [load()[name] for name in (entry.name, *entry.needs)]
    report(entry.name, "download")
    sources = {source.name: fetch(source, cache) for source in needed}
    report(entry.name, "export")
    entry.load_exporter()(sources, target)


def _clear(target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in target.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in SOURCES:
            path.unlink()


def _stamp(target: Path) -> dict[str, str]:
    """Return what was noted when the version folder was written; empty when nothing was, or not to the end."""
    try:
        return json.loads((target / STAMP).read_text())
    except (OSError, ValueError):
        return {}


def _fingerprint(entry: Entry) -> str:
    """Return a digest of all that decides on an entry's export: its sources, the code that reads them, its contract."""
    entries = [load()[name] for name in (entry.name, *entry.needs)]
    digest = hashlib.sha256(json.dumps([asdict(item) for item in entries], sort_keys=True).encode())
    digest.update(repr(STEPS[entry.step]).encode())
    for path in sorted(_code(entry.exporter.partition(":")[0])):
        digest.update(path.read_bytes())
    return digest.hexdigest()


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


def _digest(target: Path) -> str:
    """Return the sha256 of what is served: model.onnx, else that of `cat *.onnx | sha256sum`, else the tokenizer."""
    served = target / "model.onnx"
    if served.is_file():
        return sha256(served)
    digest = hashlib.sha256()
    for path in sorted(target.glob("*.onnx")) or sorted(target.glob("tokenizer*.json")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write_manifest(repository: Path, served: list[Served]) -> None:
    target = repository / MANIFEST_STEP / "1"
    target.mkdir(parents=True, exist_ok=True)
    _write_json(target / "models.json", [asdict(line) for line in served])
    shutil.copyfile(repository / "sound_tagger" / "1" / "labels.txt", target / "labels.txt")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
