"""The manifest of the model repository: what each step holds, and the fusion's numbers that fit it.

It is written in one stroke (triptych/generations.py). A serving host checks it against the files before it starts.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from filelock import FileLock, Timeout

from export.catalog import Entry, load
from export.stamp import SOURCES, STAMP, Origin, Stamp
from triptych import generations
from triptych.answer.adaptation import ADAPTATION_FILE, Adaptation
from triptych.answer.manifest import LABELS_FILE, MODELS_FILE
from triptych.answer.parameters import CALIBRATION_FILE, CALIBRATION_FOLDER, FUSION_FILE, Calibration
from triptych.answer.reliability import RELIABILITY_FILE
from triptych.errors import TriptychError
from triptych.paths import OWN_WEIGHTS
from triptych.serving import sources
from triptych.serving.checksums import sha256
from triptych_client.contract import CHANNELS

WORDS = "words"
STEP = "fusion"
"""The step that reports the manifest, and whose version folder holds it: a step sees its own folder only."""

LOG = logging.getLogger(__name__)
Arguments = ParamSpec("Arguments")


@dataclass(frozen=True)
class Served:
    """One line of the manifest: what a step of the repository holds, and the checkpoint that it is of, if any.

    `languages`: of a words model, those that it knows; none: any. `calibrated`: a calibration of these weights lies
    beside the manifest.
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
    calibrated: bool


def one_at_a_time(export: Callable[Concatenate[Path, Arguments], None]) -> Callable[Concatenate[Path, Arguments], None]:
    """Let `export(repository, ...)` wait for another process that exports into the same repository."""

    @wraps(export)
    def waiting(repository: Path, *args: Arguments.args, **options: Arguments.kwargs) -> None:
        repository.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(repository.with_name(f".{repository.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            LOG.warning("waiting for another `triptych export` into %s", repository)
            lock.acquire()
        try:
            export(repository, *args, **options)
        finally:
            lock.release()

    return waiting


def write(repository: Path, entries: Sequence[Entry]) -> None:
    """Write the manifest of a repository that holds these entries, the tagger's labels and the fusion's numbers.

    TriptychError when the fusion's trained numbers are missing.
    """
    served = [_served(entry, repository / entry.step / "1") for entry in entries]
    lines = json.dumps([asdict(line) for line in served], indent=2, ensure_ascii=False) + "\n"
    labels = repository / "sound_tagger" / "1" / LABELS_FILE
    calibrations = {entry.role: _calibration(entry) for entry, line in zip(entries, served) if line.calibrated}
    files = {MODELS_FILE: lines.encode(), LABELS_FILE: labels.read_bytes(), **_numbers(calibrations)}
    files |= _kept(repository / STEP / "1", {line.role: line.name for line in served})
    generations.publish(repository / STEP / "1", files)


def _kept(folder: Path, entries: Mapping[str, str]) -> dict[str, bytes]:
    """Return the adaptation that the models before had, as far as it is of these `entries` by role.

    One that is damaged is left out, with a warning: an export mends what is there.
    """
    try:
        before = Adaptation.read(generations.current(folder) / ADAPTATION_FILE)
    except TriptychError as error:
        LOG.warning("nothing is adapted any more: %s", error)
        return {}
    kept = before.of(entries)
    for channel in before.channels.keys() - kept.channels.keys():
        LOG.warning("the %s channel has another model: it is no longer adapted to %s", channel, before.name)
    return {ADAPTATION_FILE: kept.text()} if kept.channels else {}


@one_at_a_time
def adapt(repository: Path, adaptation: Adaptation) -> None:
    """Put an adaptation beside the fusion's numbers; without any channel, take away what is there.

    TriptychError when nothing is exported, or a channel has another model by now. A server reads it when it starts.
    """
    folder = repository / STEP / "1"
    files = generations.contents(generations.current(folder)) if folder.is_dir() else {}
    if MODELS_FILE not in files:
        raise TriptychError(f"no models are exported into {repository}: run `triptych export`")
    entries = {line["role"]: line["name"] for line in json.loads(files[MODELS_FILE])}
    for channel in adaptation.channels.keys() - adaptation.of(entries).channels.keys():
        was, now = adaptation.channels[channel].entry, entries.get(channel, "no model")
        raise TriptychError(
            f"{adaptation.name} was adapted to with {was} as {channel}, and {now} is served: adapt anew"
        )
    files.pop(ADAPTATION_FILE, None)
    files |= {ADAPTATION_FILE: adaptation.text()} if adaptation.channels else {}
    generations.publish(folder, files)


def _numbers(calibrations: Mapping[str, Path]) -> dict[str, bytes]:
    """Return the fusion's trained numbers, and the calibrations by channel, by file name."""
    regression = OWN_WEIGHTS / STEP / FUSION_FILE
    if not regression.is_file():
        raise TriptychError(
            f"{regression} is missing, without which channels cannot be fused. Restore it with "
            f"`git checkout -- weights/{STEP}/{FUSION_FILE}`, or make it anew by `triptych train fusion`."
        )
    files = {f"{CALIBRATION_FOLDER}/{channel}.json": path for channel, path in calibrations.items()}
    measured = OWN_WEIGHTS / STEP / RELIABILITY_FILE
    files |= {RELIABILITY_FILE: measured} if measured.is_file() else {}
    return {name: path.read_bytes() for name, path in {FUSION_FILE: regression, **files}.items()}


def faults(repository: Path) -> list[str]:
    """Say what keeps the repository from being served as it was exported: files gone, changed, or of another version.

    Every exported file is read: 500 MB take about a second.
    """
    folder = repository / STEP / "1"
    if not (generations.current(folder) / MODELS_FILE).is_file():
        return ["no models are exported"]
    found = sources.faults(repository)
    if not generations.is_whole(folder):
        return [*found, f"the manifest in {STEP}/1 is damaged"]
    lines = json.loads((generations.current(folder) / MODELS_FILE).read_bytes())
    needed = {entry.step for entry in load().values() if entry.default}
    found += [f"{step} has no model" for step in sorted(needed - {line["step"] for line in lines})]
    return found + [fault for line in lines for fault in _step_faults(repository, line)]


def check(repository: Path) -> None:
    """Raise TriptychError, with the remedy, when the repository cannot be served as it was exported."""
    found = faults(repository)
    if found:
        raise TriptychError(f"{repository} cannot be served: {'; '.join(found)}. Run: triptych export")


def _step_faults(repository: Path, line: dict[str, Any]) -> list[str]:
    """Compare the files of a step with what its stamp says of them, and the stamp with the line of the manifest."""
    step, name = line["step"], line["name"]
    target = repository / step / "1"
    stamp = Stamp.read(target)
    if not stamp.entry:
        return [f"{step} is not exported to the end"]
    if stamp.entry != name:
        return [f"{step} holds {stamp.entry}, and the manifest says {name}"]
    if not stamp.files:
        return [f"{step} was exported by an older version"]
    return [f"{step}/1/{file} {fault}" for file, fault in stamp.damaged(target).items()]


def _served(entry: Entry, target: Path) -> Served:
    """Return the manifest's line of an exported step.

    What a checkpoint says of itself, its licence and its languages, stands for what its entry cannot know.
    """
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
        languages=entry.languages or (origin.languages if entry.role == WORDS else ()),
        calibrated=is_calibrated(entry, origin.sha256),
    )


def is_calibrated(entry: Entry, source_sha256: str = "") -> bool:
    """Tell whether there is a calibration of these weights of a channel's model; a warning when it is of others.

    `source_sha256`: of the checkpoint that a published entry was exported from.
    """
    path = _calibration(entry)
    if entry.role not in CHANNELS or entry.vacant or not path.is_file():
        return False
    weights = source_sha256 or (entry.weights.sha256 if entry.weights else "")
    if Calibration.fitted_on(path) == weights:
        return True
    LOG.warning("%s is of other weights: run `triptych train fusion --calibrate %s`", path, entry.role)
    return False


def _calibration(entry: Entry) -> Path:
    """Return where the calibration of an entry's model is, if there is one: in a folder of its name beside weights."""
    return (entry.catalog.parent if entry.own else OWN_WEIGHTS) / entry.name / CALIBRATION_FILE


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
