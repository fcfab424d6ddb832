"""Exports a chosen set of catalogue entries into the model repository, and writes down what it then holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from export import checkpoint, manifest
from export.catalog import OWN, Entry, choose, fitting, load, slot_of, step_of
from export.fetch import fetch
from export.placing import place, saying_when_full
from export.stamp import STAMP, Origin, Stamp, fingerprint
from triptych.errors import TriptychError
from triptych.serving.checksums import sha256

Report = Callable[[str, str], None]
"""Called with an entry's name and what is done with it: "download", "export" or "ready"."""


@dataclass(frozen=True)
class Plan:
    """An entry for a step, and the source (`hub:NAME`, `dir:PATH`) of each published entry that it reads."""

    entry: Entry
    sources: dict[str, str]


@manifest.one_at_a_time
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
    with saying_when_full(repository):
        manifest.write(repository, [item.entry for item in plans])


def make(plans: Sequence[Plan], repository: Path, cache: Path, report: Report, force: bool = False) -> None:
    """Build what is not up to date, then put it in place; `export` without the manifest."""
    due = [item for item in plans if force or not _up_to_date(item, repository / item.entry.step / "1")]
    if not due:
        return
    cache.mkdir(parents=True, exist_ok=True)
    with saying_when_full(repository), TemporaryDirectory(prefix="export-", dir=cache) as staging:
        for item in due:
            _build(item, Path(staging) / item.entry.step / "1", cache, report)
        versions = [Path(item.entry.step, "1") for item in due]
        place({Path(staging) / version: repository / version for version in versions})


def plan(repository: Path, choices: Mapping[str, str], sources: Mapping[str, str]) -> list[Plan]:
    """Return what `export` makes of these choices; TriptychError when they do not fit the catalogue."""
    kept = exported(repository)
    _check_none_is_lost(repository, {*kept, *map(step_of, choices)})
    chosen = choose(choices, kept)
    named = {}
    for slot, source in sources.items():
        entry = chosen[step_of(slot)]
        if not entry.published:
            able = [item.name for item in fitting(entry.step) if item.published]
            what = f"it goes with {' or '.join(able)}" if able else f"no model of {slot} takes one"
            raise TriptychError(f"{entry.name} has its own weights and takes no --source {slot}={source}: {what}")
        named[entry.name] = _fitting_source(entry, slot, checkpoint.normalise(source))
    read = {name: origin.source for stamp in _stamps(repository).values() for name, origin in stamp.origins.items()}
    return [Plan(entry, _sources(entry, read | named)) for entry in chosen.values()]


def _fitting_source(entry: Entry, slot: str, source: str) -> str:
    """Return a source of the form that the entry takes; TriptychError when it is a file in place of a folder, or so.

    A folder with one file of weights in it stands for that file.
    """
    if entry.file and source.startswith("dir:"):
        source = checkpoint.only_file(source)
    if checkpoint.is_file(source) != entry.file:
        able = [item.name for item in fitting(entry.step) if item.published and item.file != entry.file]
        form = "one file, file:PATH" if entry.file else "a folder, dir:PATH or hub:NAME"
        other = f"; for the other form, --set {slot}={' or '.join(able)}" if able else ""
        raise TriptychError(f"{entry.name} takes {form}, not {source}{other}")
    return source


def exported(repository: Path) -> dict[str, str]:
    """Return which entry each step of the repository holds, as far as the catalogue still has it for that step."""
    names = {step: stamp.entry for step, stamp in _stamps(repository).items()}
    return {step: name for step, name in names.items() if name in load() and load()[name].step == step}


def _check_none_is_lost(repository: Path, settled: Collection[str]) -> None:
    """TriptychError when a step holds a model of a catalogue that is not read now: ours would take its place."""
    for step, stamp in _stamps(repository).items():
        if stamp.catalog and step not in settled:
            raise TriptychError(
                f"step {step} holds {stamp.entry} of the catalogue {stamp.catalog}, which is not read: set "
                f"{OWN}={stamp.catalog}, or choose another model by --set {slot_of(step)}=..."
            )


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
                forms = ("file:PATH",) if item.file else ("dir:PATH", "hub:NAME")
                named = " or ".join(f"--source {slot}={form}" for form in forms)
                raise TriptychError(f"{item.name} has no weights of its own: name a checkpoint by {named}")
            sources[item.name] = source
    return sources


def _read_by(entry: Entry) -> list[Entry]:
    return [load()[name] for name in (entry.name, *entry.needs)]


def _up_to_date(item: Plan, target: Path) -> bool:
    """Tell whether `target` is what the plan would make. A checkpoint's folder that is gone since is not missed."""
    stamp = Stamp.read(target)
    return (
        stamp.fingerprint == fingerprint(_read_by(item.entry), item.sources)
        and not stamp.damaged(target)
        and not any(map(_changed, stamp.origins.values()))
    )


def _changed(origin: Origin) -> bool:
    """Tell whether the checkpoint's folder holds other files now; what was taken from a hub is not looked up again."""
    kind, _, name = origin.source.partition(":")
    return kind != "hub" and Path(name).exists() and checkpoint.digest(Path(name)) != origin.sha256


def _build(item: Plan, target: Path, cache: Path, report: Report) -> None:
    """Make the model's files and their stamp in `target`, a new folder below one of the step's name."""
    target.mkdir(parents=True)
    report(item.entry.name, "download")
    folders = _folders(item, cache)
    report(item.entry.name, "export")
    _exporter()(item.entry, _in_order(item, folders), target)
    origins = {
        name: Origin(
            source,
            checkpoint.digest(folders[name]),
            checkpoint.licence(folders[name]),
            checkpoint.languages(folders[name]),
        )
        for name, source in item.sources.items()
    }
    files = {path.name: sha256(path) for path in sorted(target.iterdir())}
    made_of = fingerprint(_read_by(item.entry), item.sources)
    catalog = str(item.entry.catalog) if item.entry.own else ""
    Stamp(item.entry.name, made_of, origins, files, catalog).write(target)


def gather(item: Plan, cache: Path) -> list[Path]:
    """Return the folders that the plan's network is loaded from, downloading what is not there yet."""
    return _in_order(item, _folders(item, cache))


def _folders(item: Plan, cache: Path) -> dict[str, Path]:
    """Return the folder of each entry that is read, by name."""
    return {
        needed.name: checkpoint.fetch(item.sources[needed.name]) if needed.published else fetch(needed, cache)
        for needed in _read_by(item.entry)
    }


def _in_order(item: Plan, folders: Mapping[str, Path]) -> list[Path]:
    """Return the folders of the entry, if it has files, and of those that it needs."""
    return [folders[needed.name] for needed in _read_by(item.entry) if needed is not item.entry or needed.has_files]


def _exporter() -> Callable[[Entry, Sequence[Path], Path], None]:
    """Return what writes a model. It needs PyTorch, which a host that only looks at what is there does not have."""
    try:
        from export import onnx
    except ModuleNotFoundError as error:
        raise TriptychError(f"to export a model, {error.name} is missing: pip install 'triptych[export]'") from error
    return onnx.export
