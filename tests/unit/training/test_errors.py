"""What can go wrong with `triptych train`, by the user or meanwhile: words, no traceback, nothing lost."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from safetensors.torch import save_file
from torch import nn

import training.cli
import triptych_client as cli_package
from networks import weights
from samples import fer
from samples.disk import full_disk
from samples.toy import SETTINGS, toy_model, toy_task
from training import card, loop, plots
from training.data import fer as data_fer
from training.data import sounds, speech
from training.loop import fit
from triptych import files
from triptych.errors import TriptychError
from triptych_client import cli
from triptych_client.contract import EMOTIONS

COMMANDS = sorted(typer.main.get_command(training.cli.app).commands)  # type: ignore[attr-defined]
CHANNEL_COMMANDS = [command for command in COMMANDS if command != "fusion"]
"""Those that look at the data first; fusion looks at the exported models."""


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Call `triptych` as a shell does; return its exit code and what it said, on one line."""
    monkeypatch.setattr(sys, "argv", ["triptych", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = " ".join(capsys.readouterr().err.split())
    assert "Traceback" not in said
    return int(ended.value.code or 0), said


@pytest.mark.parametrize("command", CHANNEL_COMMANDS)
def test_a_folder_without_the_data_is_refused(command: str, tmp_path: Path, monkeypatch, capsys):
    code, said = run(monkeypatch, capsys, "train", command, "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 1
    assert "--data is the folder that holds" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_data_that_is_no_folder_is_a_wrong_call(command: str, tmp_path: Path, monkeypatch, capsys):
    code, said = run(monkeypatch, capsys, "train", command, "--data", tmp_path / "no", "--out", tmp_path / "out")
    assert code == 2
    assert "--data" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_place_that_cannot_be_written_is_refused_at_once(command: str, tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    code, said = run(monkeypatch, capsys, "train", command, "--data", tmp_path, "--out", tmp_path / "file" / "out")
    assert code == 1
    assert "cannot write into" in said
    assert "Choose another --out" in said


ON_A_DEVICE = ("face", "voice", "words")
"""Those that train by gradient; what the others fit takes seconds, on the CPU."""


@pytest.mark.parametrize("command", ON_A_DEVICE)
def test_a_gpu_that_is_not_there_is_refused_before_the_data_is_read(command: str, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, said = run(
        monkeypatch, capsys, "train", command, "--data", tmp_path, "--out", tmp_path / "out", "--device", "cuda"
    )
    assert code == 1
    assert "sees no GPU here: use --device cpu" in said


RECIPES = {
    ("face",): ("training.face.swin", "train_face"),
    ("face", "--model", "cnn-time"): ("training.face.cnn_time", "train_cnn_time"),
    ("face", "--init", "dir:x"): ("training.face.published", "fine_tune"),
    ("voice", "--model", "spectrogram-cnn"): ("training.voice.spectrogram_cnn", "train_voice"),
    ("voice", "--init", "dir:x"): ("training.voice.wav2vec2", "fine_tune"),
    ("words",): ("training.words.adapters", "train_words"),
    ("words", "--spoken"): ("training.words.adapters", "train_spoken"),
    ("words", "--model", "bert"): ("training.words.bert", "train_words_bert"),
    ("words", "--model", "bilstm"): ("training.words.bilstm", "train_words_bilstm"),
}


@pytest.mark.parametrize("words", RECIPES)
def test_the_device_reaches_every_recipe(words: tuple[str, ...], tmp_path: Path, monkeypatch, capsys):
    """The recipes' runs are tested by themselves; here it counts what they are called with."""
    module, recipe = RECIPES[words]
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(f"{module}.{recipe}", lambda *arguments: calls.append(arguments))
    code, _ = run(monkeypatch, capsys, "train", *words, "--data", tmp_path, "--out", tmp_path, "--device", "cpu")
    assert code == 0
    ((*_, settings),) = calls
    assert settings == settings.on("cpu") != settings.on("auto")  # type: ignore[attr-defined]


WITHOUT = {
    "any extra": ("torch", "transformers", "safetensors", "h5py", "onnx", "matplotlib", "peft", "sklearn", "scipy"),
    "the training extra": ("matplotlib", "peft", "sklearn", "scipy"),
}
TRAIN_WITHOUT = """
import sys
from triptych_client import cli

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {absent} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
for words in {calls}:
    sys.argv = ["triptych", "train", *words, "--data", ".", "--out", "out"]
    try:
        cli.main()
    except SystemExit as ended:
        print(ended.code, *words, file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("absent", WITHOUT.values(), ids=WITHOUT)
def test_without_its_packages_every_command_names_the_remedy_in_one_line(tmp_path: Path, absent: tuple[str, ...]):
    calls = [*RECIPES, ("sound",), ("fusion",)]
    script = TRAIN_WITHOUT.format(absent=set(absent), calls=calls)
    roots = os.pathsep.join(str(Path(package.__file__).parents[1]) for package in (cli_package, training))
    environment = os.environ | {"PYTHONPATH": roots, "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    said = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert said[1::2] == [" ".join(("1", *words)) for words in calls]
    names = [
        re.search(r"to train, (\w+)\S* is missing: pip install 'triptych\[training\]'", line) for line in said[::2]
    ]
    assert {name and name[1] for name in names} <= set(absent)


FER = fer.fer_arrays()
NEUTRAL_IN_TRAINING_ONLY = np.where((FER["split"] == 1) & (FER["labels"] == 6), 0, FER["labels"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": FER["images"][:, :32, :32]}, r"images are uint8 \[84, 32, 32\], not uint8 \[84, 48, 48\]"),
        ({"images": FER["images"] / 255}, r"images are float64 \[84, 48, 48\], not uint8"),
        ({"images": FER["images"][:0]}, "there are no images"),
        ({"images": np.array(5)}, "cannot be read as FER2013 faces"),
        ({"labels": FER["labels"][:80]}, r"labels are uint8 \[80\], not whole numbers \[84\]"),
        ({"labels": FER["labels"].astype(float)}, "labels are float64"),
        ({"labels": FER["labels"] + np.uint8(1)}, "labels 1 to 7 of 7"),
        ({"split": np.zeros(84, np.uint8)}, "classes without images for validation: angry, disgust"),
        ({"split": np.ones(84, np.uint8)}, "classes without images for training: angry, disgust"),
        ({"labels": NEUTRAL_IN_TRAINING_ONLY}, "classes without images for validation: neutral"),
        ({"ferplus_votes": FER["ferplus_votes"][:, :8]}, r"ferplus_votes are uint8 \[84, 8\], not .* \[84, 10\]"),
    ],
)
def test_faces_of_another_form_are_refused(tmp_path: Path, changes: dict[str, np.ndarray], message: str):
    with pytest.raises(TriptychError, match=message):
        data_fer.load(fer.write(tmp_path, **changes), 0.4)


def test_faces_without_labels_are_refused(tmp_path: Path):
    np.savez(tmp_path / data_fer.FILE, **{name: array for name, array in FER.items() if name != "labels"})
    with pytest.raises(TriptychError, match=r"cannot be read as FER2013 faces: .*labels"):
        data_fer.load(tmp_path, 0.4)


def write_speech(data: Path, columns: list[str], clips: list[str], stored: list[str]) -> None:
    """Corpora whose clips are no recordings."""
    folder = data / speech.FOLDER
    folder.mkdir()
    for corpus in speech.CORPORA:
        with (folder / f"{corpus}_labels.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([columns, *([f"{clip}.flac", "anger", "1", "1"] for clip in clips)])
        with tarfile.open(folder / f"{corpus}_flac16.tar", "w") as archive:
            for clip in stored:
                archive.addfile(tarfile.TarInfo(f"{clip}.flac"))


SPEECH_COLUMNS = ["file", "label7", "actor", "speaker"]


@pytest.mark.parametrize(
    ("columns", "clips", "stored", "message"),
    [
        (["file", "emotion", "actor", "speaker"], ["a"], ["a"], r"ravdess_labels\.csv has no column label7"),
        (SPEECH_COLUMNS, ["a"], ["a"], r"ravdess_flac16\.tar: a\.flac is not a readable recording.*off the labels"),
        (SPEECH_COLUMNS, ["a"], ["b"], r"ravdess_flac16\.tar lacks 1 clips of ravdess_labels\.csv, such as a"),
        (SPEECH_COLUMNS, [], ["a"], "has no clip of anger, disgust, fear"),
    ],
)
def test_speech_of_another_form_is_refused(
    tmp_path: Path, columns: list[str], clips: list[str], stored: list[str], message: str
):
    write_speech(tmp_path, columns, clips, stored)
    with pytest.raises(TriptychError, match=message):
        speech.load(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("ravdess_flac16.tar", b"not an archive at all", "is not a readable archive"),
        ("ravdess_labels.csv", b"file,label7\n\xff\xfe", "is not a readable table"),
    ],
)
def test_damaged_speech_is_refused(tmp_path: Path, file: str, content: bytes, message: str):
    write_speech(tmp_path, SPEECH_COLUMNS, [], [])
    (tmp_path / speech.FOLDER / file).write_bytes(content)
    with pytest.raises(TriptychError, match=rf"{file} {message}.*Fetch it again"):
        speech.load(tmp_path)


def test_a_damaged_table_of_sounds_is_refused(tmp_path: Path):
    table = tmp_path / sounds.FOLDER / "mine" / sounds.LABELS
    table.parent.mkdir(parents=True)
    table.write_bytes(b"file,label\n\xff\xfe")
    with pytest.raises(TriptychError, match=r"labels\.csv is not a readable table: .*Fetch it again"):
        list(sounds.labelled(tmp_path))


def test_a_disk_that_fills_up_keeps_the_last_checkpoint_which_goes_on(tmp_path: Path):
    fit(toy_model(), toy_task(), replace(SETTINGS, epochs=4), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(toy_model(), toy_task(stop_at=2), replace(SETTINGS, epochs=4), tmp_path / "run")
    kept = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with full_disk(100), pytest.raises(TriptychError, match=r"is kept\. Free some space, then run the same command"):
        fit(toy_model(), toy_task(), replace(SETTINGS, epochs=4), tmp_path / "run")
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == kept
    history = fit(toy_model(), toy_task(), replace(SETTINGS, epochs=4), tmp_path / "run")
    assert len(history) == 4
    assert (tmp_path / "run" / loop.BEST).read_bytes() == (tmp_path / "whole" / loop.BEST).read_bytes()


HISTORY = {"run": [{"epoch": 1, "train_loss": 1.0, "loss": 1.0, "score": 0.5}]}
WRITERS: dict[str, Callable[[Path], object]] = {
    "torch": lambda path: torch.save(torch.zeros(1000), path),
    "safetensors": lambda path: save_file({"a": torch.zeros(1000)}, path),
    "pictures": lambda path: plots.plot_losses(HISTORY, path),
    "text": lambda path: path.write_text("a" * 1000, encoding="utf-8"),
    "arrays": lambda path: np.save(path.open("wb"), np.zeros(1000)),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
def test_whatever_is_written_a_full_disk_is_named_and_the_old_file_stays(tmp_path: Path, write):
    (tmp_path / "file").write_bytes(b"old")
    with (
        full_disk(100),
        pytest.raises(TriptychError, match=r"cannot write .*file.*; the last file is kept\. Free some"),
    ):
        files.write_atomically(tmp_path / "file", write)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_weights_and_card_on_a_full_disk(tmp_path: Path):
    with full_disk(100):
        with pytest.raises(TriptychError, match=r"cannot write .*model\.safetensors"):
            weights.save(nn.Linear(100, 100), 1.0, tmp_path / weights.FILE)
        with pytest.raises(TriptychError, match=r"cannot write .*losses\.png"):
            card.write_card(tmp_path, *(None,) * 3, HISTORY)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [loop.CHECKPOINT, loop.BEST])
def test_a_damaged_file_of_an_earlier_run_is_named(tmp_path: Path, name: str):
    fit(toy_model(), toy_task(), SETTINGS, tmp_path)
    (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(TriptychError, match=rf"{name} is damaged, or of another model \(.*delete it to start anew$"):
        fit(toy_model(), toy_task(), SETTINGS, tmp_path)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path):
    fit(toy_model(), toy_task(), SETTINGS, tmp_path)
    with pytest.raises(TriptychError, match="of another model"):
        fit(nn.Linear(2, 2), toy_task(), SETTINGS, tmp_path)


def test_damaged_weights_are_refused(tmp_path: Path):
    (tmp_path / weights.FILE).write_bytes(b"damaged")
    with pytest.raises(TriptychError, match=r"model\.safetensors is damaged: .*train anew"):
        weights.load(nn.Linear(2, len(EMOTIONS)), tmp_path / weights.FILE)


def test_less_data_than_a_batch_is_refused(tmp_path: Path):
    with pytest.raises(TriptychError, match="less training data than one batch"):
        fit(toy_model(), toy_task(batches_per_epoch=0), SETTINGS, tmp_path)
