"""The manifest: the trained numbers that an export puts beside it, written whole, and checked before serving."""

from __future__ import annotations

import json
import logging
import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from export import catalog, manifest
from export.catalog import Entry
from export.stamp import STAMP
from samples.fusion import trained
from triptych.answer.adaptation import Adaptation, Offset
from triptych.answer.manifest import Manifest
from triptych.answer.parameters import Calibration
from triptych.errors import TriptychError
from triptych.serving import sources
from triptych.serving.checksums import sha256
from triptych_client.contract import EMOTIONS

TAGS = Entry("yamnet", "a tagger", "MIT", step="sound_tagger", role="audio_tags")
LIGHT = Entry("light", "a face model", "MIT", step="expression", role="face")
LARGE = Entry("large", "another one", "MIT", step="expression", role="face")
PUBLISHED = Entry("published", "without a calibration", "MIT", step="expression", role="face")
VACANT = Entry("no-voice", "none", "none", step="voice_emotion", role="voice", vacant=True)
SCALES = {"light": 2.0, "large": 3.0}


def calibration(scale: float) -> Calibration:
    return Calibration(np.full(len(EMOTIONS), scale), np.zeros(len(EMOTIONS)))


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of trained numbers: the regression, and a calibration of two face models."""
    folder = tmp_path / "weights"
    trained().write(folder / "fusion" / "fusion.json", {})
    for name, scale in SCALES.items():
        calibration(scale).write(folder / name / "calibration.json", name, "", {})
    monkeypatch.setattr(manifest, "OWN_WEIGHTS", folder)
    return folder


@pytest.fixture
def repository(tmp_path: Path, weights: Path) -> Path:
    """A repository whose steps were exported, with one small file each, and which is to be served on its own."""
    folder = tmp_path / "repository"
    sources.lay_out(folder)
    for entry in defaults():
        export_step(folder, entry)
    manifest.write(folder, defaults())
    return folder


def defaults() -> list[Entry]:
    return list(catalog.choose({}).values())


def export_step(repository: Path, entry: Entry) -> Path:
    """Write what an exporter would: a model, labels, and the stamp with the sha256 of both."""
    target = repository / entry.step / "1"
    target.mkdir(parents=True, exist_ok=True)
    (target / "model.onnx").write_text(entry.name)
    (target / "labels.txt").write_text("Speech\n")
    files = {name: sha256(target / name) for name in ("model.onnx", "labels.txt")}
    (target / STAMP).write_text(json.dumps({"entry": entry.name, "fingerprint": "f", "files": files}))
    return target


def written(tmp_path: Path, *entries: Entry) -> Path:
    """Write a manifest of these entries and return the folder that it is read from."""
    for entry in (TAGS, *entries):
        export_step(tmp_path / "small", entry)
    manifest.write(tmp_path / "small", [TAGS, *entries])
    return tmp_path / "small" / "fusion" / "1"


def numbers(folder: Path) -> set[str]:
    files = [folder / "fusion.json", *(folder / "calibration").glob("*")]
    return {path.relative_to(folder).as_posix() for path in files if path.is_file()}


def calibrated(folder: Path) -> dict[str, bool]:
    return {line["name"]: line["calibrated"] for line in json.loads((folder / "models.json").read_bytes())}


@pytest.mark.usefixtures("weights")
def test_the_regression_and_the_calibration_of_the_model_in_the_slot_are_there(tmp_path: Path):
    folder = written(tmp_path, LIGHT, VACANT)
    assert numbers(folder) == {"fusion.json", "calibration/face.json"}
    assert calibrated(folder) == {"yamnet": False, "light": True, "no-voice": False}


@pytest.mark.usefixtures("weights")
def test_another_model_does_not_get_the_calibration_of_the_one_before(tmp_path: Path):
    written(tmp_path, LIGHT)
    folder = written(tmp_path, PUBLISHED)
    assert numbers(folder) == {"fusion.json"}
    assert calibrated(folder) == {"yamnet": False, "published": False}


def test_a_calibration_of_other_weights_is_left_out_with_a_warning(
    tmp_path: Path, weights: Path, caplog: pytest.LogCaptureFixture
):
    calibration(1).write(weights / "light" / "calibration.json", "light", "of other weights", {})
    with caplog.at_level(logging.WARNING):
        folder = written(tmp_path, LIGHT)
    assert numbers(folder) == {"fusion.json"}
    assert not calibrated(folder)["light"]
    assert "light/calibration.json is of other weights: run `triptych train fusion --calibrate face`" in caplog.text


@pytest.mark.usefixtures("weights")
def test_the_calibration_of_a_model_of_one_s_own_lies_beside_its_catalogue(tmp_path: Path):
    mine = Entry("mine", "a face model", "MIT", step="expression", role="face", catalog=tmp_path / "mine" / "my.toml")
    assert not calibrated(written(tmp_path, mine))["mine"]
    calibration(4).write(tmp_path / "mine" / "mine" / "calibration.json", "mine", "", {})
    folder = written(tmp_path, mine)
    assert calibrated(folder)["mine"]
    assert Manifest.read(folder).calibrations["face"].scale[0] == 4


def test_without_the_regression_nothing_is_written(tmp_path: Path, weights: Path):
    (weights / "fusion" / "fusion.json").unlink()
    with pytest.raises(TriptychError, match=r"fusion\.json is missing.*git checkout"):
        written(tmp_path, LIGHT)
    assert not (tmp_path / "small" / "fusion").exists()


def test_languages_are_codes():
    codes = [code for entry in catalog.load().values() for code in entry.languages]
    assert codes
    assert all(len(code) == 2 and code.islower() for code in codes)


def write_for_ever(repository: Path, weights: Path, begun: Callable[[], None]) -> None:
    manifest.OWN_WEIGHTS = weights
    while True:
        for entry in (LIGHT, LARGE):
            manifest.write(repository, [TAGS, entry])
        begun()


def test_readers_never_see_a_mixture_of_two_exports(tmp_path: Path, weights: Path):
    written(tmp_path, LARGE)
    folder = written(tmp_path, LIGHT)
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    writer = context.Process(target=write_for_ever, args=(tmp_path / "small", weights, begun.set), daemon=True)
    writer.start()
    try:
        assert begun.wait(60)
        read = [Manifest.read(folder) for _ in range(2000)]
    finally:
        writer.kill()
        writer.join()
    assert {(found.models[1][1], found.calibrations["face"].scale[0]) for found in read} == set(SCALES.items())


def test_exports_into_one_repository_take_turns(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    inside: list[str] = []

    @manifest.one_at_a_time
    def export(repository: Path, name: str) -> None:
        inside.append(f"{name} begins")
        inside.append(f"{name} ends")

    with FileLock(tmp_path / ".repository.lock"), caplog.at_level(logging.WARNING):
        waiting = threading.Thread(target=export, args=(tmp_path / "repository", "waiting"))
        waiting.start()
        while "waiting for another `triptych export`" not in caplog.text:
            waiting.join(0.01)
        assert not inside
        export(tmp_path / "other", "elsewhere")
    waiting.join()
    assert inside == ["elsewhere begins", "elsewhere ends", "waiting begins", "waiting ends"]


def test_an_export_that_fails_lets_the_next_one_in(tmp_path: Path):
    @manifest.one_at_a_time
    def export(repository: Path) -> None:
        raise TriptychError("it does not go")

    for _ in range(2):
        with pytest.raises(TriptychError, match="it does not go"):
            export(tmp_path / "repository")


def test_a_whole_repository_has_no_faults(repository: Path):
    assert manifest.faults(repository) == []
    manifest.check(repository)


def forget_files(target: Path) -> None:
    (target / STAMP).write_text(json.dumps({"entry": json.loads((target / STAMP).read_text())["entry"]}))


def hold_another(target: Path) -> None:
    export_step(target.parents[1], LIGHT)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda target: (target / "model.onnx").unlink(), "expression/1/model.onnx is missing"),
        (lambda target: (target / "model.onnx").write_text("else"), "expression/1/model.onnx is not what was exported"),
        (lambda target: (target / STAMP).unlink(), "expression is not exported to the end"),
        (lambda target: (target / STAMP).write_text("{half"), "expression is not exported to the end"),
        (forget_files, "expression was exported by an older version"),
        (hold_another, "expression holds light, and the manifest says swinv2"),
        (lambda target: (target.parent / "config.pbtxt").unlink(), "expression/config.pbtxt is missing, or of another"),
        (
            lambda target: (target.parents[1] / "media_probe" / "1" / "model.py").write_text("old"),
            "media_probe/1/model.py is missing, or of another version",
        ),
        (
            lambda target: (target.parents[1] / "fusion" / "1" / "fusion.json").write_text("{}"),
            "the manifest in fusion/1 is damaged",
        ),
        (lambda target: (target.parents[1] / "fusion" / "1" / ".current").unlink(), "no models are exported"),
    ],
)
def test_each_fault_is_named_with_the_remedy(damage: Callable[[Path], object], fault: str, repository: Path):
    damage(repository / "expression" / "1")
    (found,) = manifest.faults(repository)
    assert found.startswith(fault)
    with pytest.raises(TriptychError, match=r"cannot be served: .* Run: triptych export$"):
        manifest.check(repository)


def test_a_step_that_the_manifest_does_not_have_is_named(repository: Path):
    manifest.write(repository, [entry for entry in defaults() if entry.step != "whisper"])
    assert manifest.faults(repository) == ["whisper has no model"]


def test_laying_out_the_sources_keeps_exports_and_replaces_what_is_old(repository: Path):
    (repository / "fusion" / "1" / "model.py").write_text("old")
    (repository / "fusion" / "1" / "gone_since.py").write_text("old")
    (repository / "one_s_own" / "1").mkdir(parents=True)
    (repository / "one_s_own" / "config.pbtxt").write_text("kept")
    sources.lay_out(repository)
    assert manifest.faults(repository) == []
    assert not (repository / "fusion" / "1" / "gone_since.py").exists()
    assert (repository / "one_s_own" / "config.pbtxt").read_text() == "kept"


def adapted(entry: str = "light") -> Adaptation:
    return Adaptation("ward 7", 0.2, {"face": Offset(entry, 30, np.arange(7.0) - 3)})


def served_with(face: Entry) -> list[Entry]:
    return [face if entry.step == face.step else entry for entry in defaults()]


def test_an_adaptation_stays_until_its_model_goes(repository: Path, caplog: pytest.LogCaptureFixture):
    folder = repository / "fusion" / "1"
    export_step(repository, LIGHT)
    manifest.write(repository, served_with(LIGHT))
    manifest.adapt(repository, adapted())
    assert Manifest.read(folder).adaptation.name == "ward 7"
    manifest.write(repository, served_with(LIGHT))
    assert Manifest.read(folder).adaptation.channels.keys() == {"face"}
    assert not manifest.faults(repository)
    export_step(repository, LARGE)
    manifest.write(repository, served_with(LARGE))
    assert not (folder / "adaptation.json").exists()
    assert "the face channel has another model: it is no longer adapted to ward 7" in caplog.text


def test_an_export_leaves_out_an_adaptation_that_is_damaged(repository: Path, caplog: pytest.LogCaptureFixture):
    folder = repository / "fusion" / "1"
    export_step(repository, LIGHT)
    manifest.write(repository, served_with(LIGHT))
    manifest.adapt(repository, adapted())
    (folder / "adaptation.json").write_text("{")
    assert manifest.faults(repository) == ["the manifest in fusion/1 is damaged"]
    manifest.write(repository, served_with(LIGHT))
    assert not manifest.faults(repository)
    assert not Manifest.read(folder).adaptation.channels
    assert "nothing is adapted any more" in caplog.text


def test_an_adaptation_can_be_taken_away(repository: Path):
    export_step(repository, LIGHT)
    manifest.write(repository, served_with(LIGHT))
    manifest.adapt(repository, adapted())
    manifest.adapt(repository, Adaptation())
    assert not Manifest.read(repository / "fusion" / "1").adaptation.channels


def test_an_adaptation_to_another_model_is_refused(repository: Path, tmp_path: Path):
    with pytest.raises(TriptychError, match="ward 7 was adapted to with light as face, and swinv2 is served"):
        manifest.adapt(repository, adapted())
    with pytest.raises(TriptychError, match="no models are exported into"):
        manifest.adapt(tmp_path / "empty", adapted())
