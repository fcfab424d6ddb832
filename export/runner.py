"""Exports a chosen set of catalogue entries into the model repository, and writes down what it then holds."""

from __future__ import annotations

import ast
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from export import checkpoint
from export.catalog import Entry, choose, fitting, load, slot_of, step_of
from export.fetch import OWN_WEIGHTS, fetch, sha256
from triptych.errors import TriptychError
from triptych.parameters import CALIBRATION_FILE, CALIBRATION_FOLDER, FUSION_FILE, Calibration
from triptych.server import ROOT
from triptych_client.contract import CHANNELS, STEPS

SOURCES = {"model.py", "dali.py", ".gitkeep"}
"""Files of a version folder that are ours and not exported."""
STAMP = "export.json"
OUR_CODE = {"export", "training"}
"""Packages whose code decides on what is exported."""
MANIFEST_STEP = "fusion"
"""The step that reports the manifest, and whose version folder holds it: a step sees its own folder only."""

LOG = logging.getLogger(__name__)

Report = Callable[[str, str], None]
"""Called with an entry's name and what is done with it: "download", "export" or "ready"."""


@dataclass(frozen=True)
class Served:
    """One line of the manifest: what a step of the repository holds, and the checkpoint that it is of, if any.

    `languages`: of a words model, those that it knows; none: any.
    """

    step: str
    role: str
    name: str
    title: str
    sha256: str
    licence: str
    vacant: bool
    source: str
    source_sha256: str
    languages: tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """Where a published entry's checkpoint was taken from, the sha256 of its files, and its licence."""

    source: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Stamp:
    """What is noted of an export beside it: the entry, what decided on it, and the checkpoints that were read."""

    entry: str = ""
    fingerprint: str = ""
    origins: dict[str, Origin] = field(default_factory=dict)

    @classmethod
    def read(cls, target: Path) -> Stamp:
        """Read the stamp of a version folder; an empty one when nothing was exported, or not to the end."""
        try:
            stamp = json.loads((target / STAMP).read_text())
            origins = {name: Origin(**origin) for name, origin in stamp.get("origins", {}).items()}
            return cls(stamp["entry"], stamp["fingerprint"], origins)
        except (OSError, ValueError, KeyError, TypeError):
            return cls()


@dataclass(frozen=True)
class Plan:
    """An entry for a step, and the source (`hub:NAME`, `dir:PATH`) of each published entry that it reads."""

    entry: Entry
    sources: dict[str, str]


def export(
    repository: Path,
    cache: Path,
    choices: Mapping[str, str],
    report: Report,
    force: bool = False,
    sources: Mapping[str, str] | None = None,
) -> None:
    """Export an entry for every step into `repository`: the chosen, else the one exported before, else the default.

    `choices`: step or role -> entry; `sources`: step or role -> checkpoint, for an entry that takes a published one.
    What is up to date stays. `cache` keeps downloaded weights. Everything is made before anything is replaced, so that
    TriptychError (an unknown choice, a file that is not the catalogue's, a checkpoint that does not fit) leaves the
    repository as it was.
    """
    plans = plan(repository, choices, sources or {})
    make(plans, repository, cache, report, force)
    for item in plans:
        report(item.entry.name, "ready")
    _write_manifest(repository, [_served(item.entry, repository / item.entry.step / "1") for item in plans])


def make(plans: Sequence[Plan], repository: Path, cache: Path, report: Report, force: bool = False) -> None:
    """Build what is not up to date, then put it in place; `export` without the manifest."""
    due = [item for item in plans if force or not _up_to_date(item, repository / item.entry.step / "1")]
    if not due:
        return
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="export-", dir=cache) as staging:
        for item in due:
            _build(item, Path(staging) / item.entry.step / "1", cache, report)
        for item in due:
            _install(Path(staging) / item.entry.step / "1", repository / item.entry.step / "1")


def plan(repository: Path, choices: Mapping[str, str], sources: Mapping[str, str]) -> list[Plan]:
    """Return what `export` makes of these choices; TriptychError when they do not fit the catalogue."""
    chosen = choose(choices, exported(repository))
    named = {}
    for slot, source in sources.items():
        entry = chosen[step_of(slot)]
        if not entry.published:
            able = [item.name for item in fitting(entry.step) if item.published]
            what = f"it goes with {' or '.join(able)}" if able else f"no model of {slot} takes one"
            raise TriptychError(f"{entry.name} has its own weights and takes no --source {slot}={source}: {what}")
        named[entry.name] = checkpoint.normalise(source)
    kept = {name: origin.source for stamp in _stamps(repository).values() for name, origin in stamp.origins.items()}
    return [Plan(entry, _sources(entry, kept | named)) for entry in chosen.values()]


def exported(repository: Path) -> dict[str, str]:
    """Return which entry each step of the repository holds, as far as the catalogue still has it for that step."""
    names = {step: stamp.entry for step, stamp in _stamps(repository).items()}
    return {step: name for step, name in names.items() if name in load() and load()[name].step == step}


def _stamps(repository: Path) -> dict[str, Stamp]:
    return {path.parent.parent.name: Stamp.read(path.parent) for path in repository.glob(f"*/1/{STAMP}")}


def _sources(entry: Entry, known: Mapping[str, str]) -> dict[str, str]:
    """Return the source of each published entry that `entry` reads: a known one, else its own on the hub."""
    sources = {}
    for item in _read_by(entry):
        if item.published:
            source = known.get(item.name) or (f"hub:{item.hub}" if item.hub else "")
            if not source:
                slot = slot_of(item.step)
                raise TriptychError(
                    f"{item.name} has no weights of its own: name a checkpoint by --source {slot}=dir:PATH or "
                    f"--source {slot}=hub:NAME"
                )
            sources[item.name] = source
    return sources


def _read_by(entry: Entry) -> list[Entry]:
    return [load()[name] for name in (entry.name, *entry.needs)]


def _up_to_date(item: Plan, target: Path) -> bool:
    """Tell whether `target` is what the plan would make. A folder that is gone since is not missed."""
    stamp = Stamp.read(target)
    return stamp.fingerprint == _fingerprint(item) and not any(map(_changed, stamp.origins.values()))


def _changed(origin: Origin) -> bool:
    """Tell whether the checkpoint's folder holds other files now; what was taken from a hub is not looked up again."""
    kind, _, name = origin.source.partition(":")
    return kind == "dir" and Path(name).is_dir() and checkpoint.digest(Path(name)) != origin.sha256


def _build(item: Plan, target: Path, cache: Path, report: Report) -> None:
    """Make the model's files and their stamp in `target`, a new folder below one of the step's name."""
    target.mkdir(parents=True)
    report(item.entry.name, "download")
    folders = {
        needed.name: checkpoint.fetch(item.sources[needed.name]) if needed.published else fetch(needed, cache)
        for needed in _read_by(item.entry)
    }
    report(item.entry.name, "export")
    item.entry.load_exporter()(folders, target)
    origins = {
        name: Origin(source, checkpoint.digest(folders[name]), checkpoint.licence(folders[name]))
        for name, source in item.sources.items()
    }
    _write_json(target / STAMP, asdict(Stamp(item.entry.name, _fingerprint(item), origins)))


def _install(built: Path, target: Path) -> None:
    """Put what was built into the version folder, in place of what was exported there; the stamp comes last."""
    target.mkdir(parents=True, exist_ok=True)
    (target / STAMP).unlink(missing_ok=True)
    for path in target.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in SOURCES:
            path.unlink()
    for path in sorted(built.iterdir(), key=lambda path: path.name == STAMP):
        shutil.move(path, target / path.name)


def _fingerprint(item: Plan) -> str:
    """Return a digest of all that decides on an entry's export: its sources, the code that reads them, its contract."""
    entries = [asdict(entry) for entry in _read_by(item.entry)]
    digest = hashlib.sha256(json.dumps([entries, item.sources], sort_keys=True).encode())
    digest.update(repr(STEPS[item.entry.step]).encode())
    for path in sorted(_code(item.entry.exporter.partition(":")[0])):
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
    """Return the sha256 of what is served: model.onnx, else that of `cat *.onnx | sha256sum`, else of all files."""
    served = target / "model.onnx"
    if served.is_file():
        return sha256(served)
    digest = hashlib.sha256()
    files = (path for path in sorted(target.iterdir()) if path.is_file() and path.name not in {STAMP, *SOURCES})
    for path in sorted(target.glob("*.onnx")) or files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _served(entry: Entry, target: Path) -> Served:
    """Return the manifest's line of an exported step; a checkpoint's own licence stands for that of the entry."""
    origin = Stamp.read(target).origins.get(entry.name, Origin("", "", entry.licence))
    return Served(
        step=entry.step,
        role=entry.role,
        name=entry.name,
        title=entry.title,
        sha256=_digest(target),
        licence=origin.licence,
        vacant=entry.vacant,
        source=origin.source,
        source_sha256=origin.sha256,
        languages=entry.languages,
    )


def _write_manifest(repository: Path, served: list[Served]) -> None:
    target = repository / MANIFEST_STEP / "1"
    target.mkdir(parents=True, exist_ok=True)
    _write_json(target / "models.json", [asdict(line) for line in served])
    shutil.copyfile(repository / "sound_tagger" / "1" / "labels.txt", target / "labels.txt")
    _replace_numbers(target, served)


def _replace_numbers(target: Path, served: Sequence[Served]) -> None:
    """Copy the fusion's trained numbers and the calibration of each channel's model; what is not trained is not there.

    A calibration that was fitted on other weights of the model is left out, with a warning.
    """
    (target / FUSION_FILE).unlink(missing_ok=True)
    shutil.rmtree(target / CALIBRATION_FOLDER, ignore_errors=True)
    (target / CALIBRATION_FOLDER).mkdir()
    regression = OWN_WEIGHTS / MANIFEST_STEP / FUSION_FILE
    if regression.is_file():
        shutil.copyfile(regression, target / FUSION_FILE)
    for line in served:
        path = OWN_WEIGHTS / line.name / CALIBRATION_FILE
        if line.role in CHANNELS and not line.vacant and path.is_file():
            if Calibration.fitted_on(path) == _weights(line):
                shutil.copyfile(path, target / CALIBRATION_FOLDER / f"{line.role}.json")
            else:
                LOG.warning("%s is of other weights: run `triptych train fusion --calibrate %s`", path, line.role)


def _weights(line: Served) -> str:
    """Return what tells a model's weights from others of its name: the sha256 of its checkpoint, or of ours; or ""."""
    own = load()[line.name].weights
    return line.source_sha256 or (own.sha256 if own else "")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
